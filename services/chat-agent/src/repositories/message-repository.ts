import type { ChatAgentTables, MessageRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'
import { onPath, type PathEnd } from './path.ts'

export type NewMessage = Omit<MessageRow, 'position' | 'created_at'>

/** What somebody said, and no summary of it. */
const SAID = sql`role <> 'summary'`

export class MessageRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  async add(messages: readonly NewMessage[]): Promise<void> {
    if (messages.length > 0) await this.#db.insertInto('messages').values(messages).execute()
  }

  /** Deletes summaries that tell of them too. Returns how many messages there were. */
  async deleteOfRun({ session_id, id, turn }: Pick<RunRow, 'session_id' | 'id' | 'turn'>): Promise<number> {
    const ofSession = this.#db.deleteFrom('messages').where('session_id', '=', session_id)
    await ofSession.where('role', '=', 'summary').where('turn', '>=', turn).execute()
    return Number((await ofSession.where('run_id', '=', id).executeTakeFirst()).numDeletedRows)
  }

  questionsOfRun(sessionId: string, runId: string): Promise<Pick<MessageRow, 'id' | 'content'>[]> {
    const ofRun = this.#db.selectFrom('messages').where('session_id', '=', sessionId).where('run_id', '=', runId)
    return ofRun.select(['id', 'content']).where('role', '=', 'user').execute()
  }

  /** Whether the session still has every one of them. */
  async areThere(sessionId: string, ids: readonly string[]): Promise<boolean> {
    const { count } = await this.#db
      .selectFrom('messages')
      .where('session_id', '=', sessionId)
      .where(sql<boolean>`id = any(${ids}::uuid[])`)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return count === ids.length
  }

  /** A summary is none. */
  find(sessionId: string, id: string): Promise<MessageRow | undefined> {
    const found = this.#db.selectFrom('messages').selectAll().where('session_id', '=', sessionId).where('id', '=', id)
    return found.where('role', '<>', 'summary').executeTakeFirst()
  }

  /** The question that a message is or answers. */
  questionOf({ session_id, turn, position }: MessageRow): Promise<MessageRow | undefined> {
    return this.#db
      .selectFrom('messages')
      .selectAll()
      .where('session_id', '=', session_id)
      .where('turn', '=', turn)
      .where('role', '=', 'user')
      .where('position', '<=', position)
      .orderBy('position', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  /** The messages behind `after`, oldest first, without summaries. An unknown `after` gives none. */
  async page(end: PathEnd, after: string | undefined, limit: number): Promise<MessageRow[]> {
    const behind = sql`(turn, position) > (
      select m.turn, m.position from messages m where m.id = ${after} and m.session_id = ${end.session_id})`
    const where = after === undefined ? SAID : sql`${SAID} and ${behind}`
    return (await onPath('messages', end, { order: 'asc', limit, where }).execute(this.#db)).rows
  }

  /** Positions of the question that each of these messages is or answers; of a message without one, its own. */
  async questionsOf(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await sql<{ id: string; question: number }>`
      select m.id, coalesce((select max(q.position) from messages q where q.session_id = m.session_id and q.turn = m.turn
        and q.role = 'user' and q.position <= m.position), m.position) as question
      from messages m where m.id = any(${ids}::uuid[])`.execute(this.#db)
    return new Map(rows.map(({ id, question }) => [id, question]))
  }

  /** The last question and the last answer of each turn. */
  async lastOfTurns(
    sessionId: string,
    turns: readonly number[],
  ): Promise<Pick<MessageRow, 'id' | 'turn' | 'role' | 'content'>[]> {
    const { rows } = await sql<Pick<MessageRow, 'id' | 'turn' | 'role' | 'content'>>`
      select last.* from unnest(${turns}::integer[]) as t (turn) cross join unnest(array['user', 'assistant']) as r (role)
      cross join lateral (
        select id, turn, role, content from messages m where m.session_id = ${sessionId} and m.turn = t.turn and m.role = r.role
        order by m.position desc limit 1
      ) as last`.execute(this.#db)
    return rows
  }

  /** In the order of the conversation, without summaries. */
  async ofTurns(end: PathEnd, turns: { readonly from: number; readonly to: number }): Promise<MessageRow[]> {
    const where = sql`${SAID} and turn >= ${turns.from} and turn <= ${turns.to}`
    return (await onPath('messages', end, { order: 'asc', where }).execute(this.#db)).rows
  }

  /** The latest messages of a path, newest first. A summary comes behind the turns that it covers, so it is only on paths that have all of them. */
  async latest(end: PathEnd, limit: number): Promise<MessageRow[]> {
    return (await onPath('messages', end, { order: 'desc', limit }).execute(this.#db)).rows
  }
}
