import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

/** The end of a path through the branches of a session: a turn of a branch, with all that it follows. A run is the end of its own. */
export interface PathEnd {
  readonly session_id: string
  readonly branch: number
  readonly turn: number
}

/** Of a branch, the messages before the one at `turn` and `position`. */
interface Segment {
  readonly branch: number
  readonly turn: number
  readonly position: number
}

/** A branch begins behind the ones that it came from, so the recursion ends at branch 0. */
const segmentsOf = ({ session_id, branch, turn }: PathEnd) =>
  sql<Segment>`(with recursive segments (branch, turn, position) as (
    select ${branch}::integer, ${turn + 1}::integer, 0::bigint
    union all
    select b.from_branch, b.before_turn, b.before_position from segments
    join branches b on b.session_id = ${session_id} and b.number = segments.branch
  ) select * from segments)`.as<'path'>(sql`path`)

/** A session that has no branches, and the first branch of another one, is read as if there were none. */
export function messagesOnPath(db: Kysely<ChatAgentTables>, end: PathEnd) {
  const messages = db.selectFrom('messages').where('messages.session_id', '=', end.session_id)
  if (end.branch === 0) return messages.where('messages.branch', '=', 0).where('messages.turn', '<=', end.turn)
  return messages
    .innerJoin(segmentsOf(end), 'path.branch', 'messages.branch')
    .where(sql<boolean>`(messages.turn, messages.position) < (path.turn, path.position)`)
}

/** A run whose question another branch replaces is not on the path of that branch. */
export function runsOnPath(db: Kysely<ChatAgentTables>, end: PathEnd) {
  const runs = db.selectFrom('runs').where('runs.session_id', '=', end.session_id)
  if (end.branch === 0) return runs.where('runs.branch', '=', 0).where('runs.turn', '<=', end.turn)
  return runs.innerJoin(segmentsOf(end), 'path.branch', 'runs.branch').whereRef('runs.turn', '<', 'path.turn')
}
