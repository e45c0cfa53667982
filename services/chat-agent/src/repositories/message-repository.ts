import type { ChatAgentTables, MessageRow } from '@youworker/database/owners/chat-agent/tables'
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

  /** Returns how many there were. */
  async deleteOfRun(sessionId: string, runId: string): Promise<number> {
    const messages = this.#db.deleteFrom('messages').where('session_id', '=', sessionId).where('run_id', '=', runId)
    return Number((await messages.executeTakeFirst()).numDeletedRows)
  }

  /** The messages behind `after`, oldest first. An unknown `after` gives none. */
  page(sessionId: string, after: string | undefined, limit: number): Promise<MessageRow[]> {
    let rows = this.#db.selectFrom('messages').selectAll().where('session_id', '=', sessionId)
    if (after !== undefined) {
      rows = rows.where(
        sql<boolean>`(turn, position) > (select m.turn, m.position from messages m where m.id = ${after} and m.session_id = ${sessionId})`,
      )
    }
    return rows.orderBy('turn').orderBy('position').limit(limit).execute()
  }

  /** In the order of the conversation. */
  ofTurns(sessionId: string, turns: { readonly from: number; readonly to: number }): Promise<MessageRow[]> {
    return this.#db
      .selectFrom('messages')
      .selectAll()
      .where('session_id', '=', sessionId)
      .where('turn', '>=', turns.from)
      .where('turn', '<=', turns.to)
      .orderBy('turn')
      .orderBy('position')
      .execute()
  }

  /** The latest messages up to a turn, newest first. */
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
