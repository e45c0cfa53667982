import { sql } from 'kysely'

/** Begin of the last `days` days. */
export const since = (days: number) => sql`now() - make_interval(days => ${days}::integer)`

export const isSessionKept = sql`not exists (
  select from sessions where sessions.session_id = messages.session_id and sessions.deleted_at is not null)`

export const tokenFigures = sql`
  coalesce(sum(tokens_in), 0)::bigint as tokens_in,
  coalesce(sum(tokens_out), 0)::bigint as tokens_out,
  count(message_id) filter (where role <> 'none') as message_count`
export interface TokenSums {
  readonly tokens_in: number
  readonly tokens_out: number
  readonly message_count: number
}

export const toolFigures = sql`
  count(tool_run_id) as total_runs,
  count(tool_run_id) filter (where status = 'success') as successful_runs,
  coalesce(sum(latency_ms), 0)::bigint as latency_ms`
export interface ToolSums {
  readonly total_runs: number
  readonly successful_runs: number
  readonly latency_ms: number
}
