import type { Interval } from '@youworker/contracts/analytics'
import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { type RawBuilder, sql, type Transaction } from 'kysely'
import {
  broughtTo,
  doneBy,
  isSessionKept,
  since,
  tokenFigures,
  type TokenSums,
  toolFigures,
  type ToolSums,
  type Whose,
} from './figures.ts'

interface Period {
  readonly days: number
  readonly interval: Interval
}

interface Part {
  /** ISO-8601, in UTC. */
  readonly period: string
}

interface IngestionSums {
  readonly run_count: number
  readonly total_files: number
  readonly total_chunks: number
  readonly success_count: number
}

interface SessionSums {
  readonly session_count: number
  readonly tools_enabled_count: number
}

/** One row for every hour, day or week of a period, the oldest first, also for those in which nothing was done. */
export class TimelineRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  tokens(whose: Whose, period: Period): Promise<(Part & TokenSums)[]> {
    const facts = sql`select created_at as at, message_id, role, tokens_in, tokens_out from ${doneBy(whose, 'messages', since(period.days))}
      where ${isSessionKept}`
    return this.#timeline(period, facts, tokenFigures)
  }

  tools(whose: Whose, { tool_name, ...period }: Period & { readonly tool_name?: string | undefined }) {
    const named = tool_name === undefined ? sql`` : sql`where tool_name = ${tool_name}`
    const facts = sql`select finished_at as at, tool_run_id, status, latency_ms from ${doneBy(whose, 'tool_runs', since(period.days))}
      ${named}`
    return this.#timeline<ToolSums>(period, facts, toolFigures)
  }

  ingestion(whose: Whose, period: Period): Promise<(Part & IngestionSums)[]> {
    const facts = sql`select finished_at as at, run_id, status, files, chunks from ingestion_runs
      where ${broughtTo(whose)} and finished_at >= ${since(period.days)}`
    const figures = sql`count(run_id) as run_count,
      coalesce(sum(files), 0)::bigint as total_files,
      coalesce(sum(chunks), 0)::bigint as total_chunks,
      count(run_id) filter (where status = 'success') as success_count`
    return this.#timeline(period, facts, figures)
  }

  sessions(whose: Whose, period: Period): Promise<(Part & SessionSums)[]> {
    const facts = sql`select created_at as at, session_id, enable_tools from ${doneBy(whose, 'sessions', since(period.days))}
      where deleted_at is null and not is_hidden`
    const figures = sql`count(session_id) as session_count,
      count(session_id) filter (where enable_tools) as tools_enabled_count`
    return this.#timeline(period, facts, figures)
  }

  async #timeline<T>(
    { days, interval }: Period,
    facts: RawBuilder<unknown>,
    figures: RawBuilder<unknown>,
  ): Promise<(Part & T)[]> {
    const begin = (time: RawBuilder<unknown>) => sql`date_trunc(${interval}::text, (${time}) at time zone 'UTC')`
    const { rows } = await sql<Part & T>`
      select to_char(part, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as period, ${figures}
      from generate_series(${begin(since(days))}, ${begin(sql`now()`)}, ('1 ' || ${interval}::text)::interval) as part
        left join (${facts}) facts on ${begin(sql`facts.at`)} = part
      group by part order by part`.execute(this.#db)
    return rows
  }
}
