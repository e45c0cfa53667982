import { type RawBuilder, sql } from 'kysely'

/** Whose facts a figure counts. */
export type Whose =
  | { readonly kind: 'user'; readonly user_id: string }
  | { readonly kind: 'group'; readonly group_id: string; readonly members: readonly Membership[] }
  | { readonly kind: 'installation' }

export interface Membership {
  readonly user_id: string
  readonly joined_at: string
}

const TIMES = { sessions: 'created_at', messages: 'created_at', tool_runs: 'finished_at' } as const

/** What was done from `begin` on, in the place of a table: of members, what they did since they joined. */
export function doneBy(whose: Whose, table: keyof typeof TIMES, begin: RawBuilder<unknown>): RawBuilder<unknown> {
  const [facts, time] = [sql.table(table), sql.ref(TIMES[table])]
  if (whose.kind !== 'group') {
    const own = whose.kind === 'user' ? sql`space_id = ${whose.user_id} and` : sql``
    return sql`(select * from ${facts} where ${own} ${time} >= ${begin}) ${facts}`
  }
  const userIds = whose.members.map(({ user_id }) => user_id)
  const joinedAt = whose.members.map(({ joined_at }) => joined_at)
  return sql`(select ${facts}.* from unnest(${userIds}::uuid[], ${joinedAt}::timestamptz[]) as member (user_id, joined_at)
    join ${facts} on space_id = member.user_id and ${time} >= greatest(member.joined_at, ${begin})) ${facts}`
}

/** Of documents and ingestion runs: those of a group are the ones in its space, whoever brought them. */
export function broughtTo(whose: Whose): RawBuilder<boolean> {
  if (whose.kind === 'installation') return sql`true`
  return whose.kind === 'user' ? sql`space_id = ${whose.user_id}` : sql`group_id = ${whose.group_id}`
}

/** Begin of the last `days` days. */
export const since = (days: number) => sql`now() - make_interval(days => ${days}::integer)`

export const isSessionKept = sql`not exists (
  select from sessions where sessions.session_id = messages.session_id and (sessions.deleted_at is not null or sessions.is_hidden))`

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
