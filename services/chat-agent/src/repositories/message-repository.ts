import type { ChatAgentTables, MessageRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

export type NewMessage = Omit<MessageRow, 'position' | 'created_at'>

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

  /** The messages behind `after`, oldest first, without summaries. An unknown `after` gives none. */
  page(sessionId: string, after: string | undefined, limit: number): Promise<MessageRow[]> {
    let rows = this.#db.selectFrom('messages').selectAll().where('session_id', '=', sessionId).where('role', '<>', 'summary')
    if (after !== undefined) {
      rows = rows.where(
        sql<boolean>`(turn, position) > (select m.turn, m.position from messages m where m.id = ${after} and m.session_id = ${sessionId})`,
      )
    }
    return rows.orderBy('turn').orderBy('position').limit(limit).execute()
  }

  /** In the order of the conversation, without summaries. */
  ofTurns(sessionId: string, turns: { readonly from: number; readonly to: number }): Promise<MessageRow[]> {
    return this.#db
      .selectFrom('messages')
      .selectAll()
      .where('session_id', '=', sessionId)
      .where('turn', '>=', turns.from)
      .where('turn', '<=', turns.to)
      .where('role', '<>', 'summary')
      .orderBy('turn')
      .orderBy('position')
      .execute()
  }

  /** The latest messages up to a turn, newest first. A summary comes behind the turns that it covers. */
  latest(sessionId: string, upToTurn: number, limit: number): Promise<MessageRow[]> {
    return this.#db
      .selectFrom('messages')
      .selectAll()
      .where('session_id', '=', sessionId)
      .where('turn', '<=', upToTurn)
      .orderBy('turn', 'desc')
      .orderBy('position', 'desc')
      .limit(limit)
      .execute()
  }
}
