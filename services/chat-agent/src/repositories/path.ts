import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type RawBuilder, type Selectable, sql } from 'kysely'

/** The end of a path through the branches of a session: a turn of a branch, with all that it follows. A run is the end of its own. */
export interface PathEnd {
  readonly session_id: string
  readonly branch: number
  readonly turn: number
}

interface Slice {
  readonly order: 'asc' | 'desc'
  readonly limit?: number
  /** On the columns of the table. */
  readonly where?: RawBuilder<unknown>
}

type Table = 'messages' | 'runs'

const ORDER = {
  messages: { asc: sql`turn, position`, desc: sql`turn desc, position desc` },
  runs: { asc: sql`turn`, desc: sql`turn desc` },
} as const
/** A run whose question another branch replaces is not on the path of that branch; messages before that question are. */
const BEFORE_END = { messages: sql`(turn, position) < (end_turn, end_position)`, runs: sql`turn < end_turn` } as const

/**
 * Rows on a path. A session that has no branches, and the first branch of another one, is read as if there were none. Else the path has
 * a segment of each branch, which begins behind the ones that it came from, so the recursion ends at branch 0; no turn of a branch has a
 * lower number than the branch. `limit` makes each step one search of an index.
 */
export function onPath<T extends Table>(
  table: T,
  { session_id, branch, turn }: PathEnd,
  { order, limit, where = sql`true` }: Slice,
): RawBuilder<Selectable<ChatAgentTables[T]>> {
  const [rows, by, most] = [sql.table(table), ORDER[table][order], limit === undefined ? sql`` : sql`limit ${limit}`]
  if (branch === 0)
    return sql`select * from ${rows} where session_id = ${session_id} and branch = 0 and turn <= ${turn} and (${where})
      order by ${by} ${most}`
  return sql`with recursive segments (number, end_turn, end_position) as (
      select ${branch}::integer, ${turn + 1}::integer, 0::bigint
      union all
      select before.* from segments cross join lateral (
        select from_branch, before_turn, before_position from branches b
        where b.session_id = ${session_id} and b.number = segments.number limit 1
      ) as before
    )
    select own.* from segments cross join lateral (
      select * from ${rows} where session_id = ${session_id} and branch = number and turn >= number and ${BEFORE_END[table]}
        and (${where}) order by ${by} ${most}
    ) as own order by ${by} ${most}`
}
