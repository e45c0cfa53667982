import type { AnalyticsTables, MessageRow, SessionRow, ToolRunRow } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'

/** Writes are idempotent and may run in any order. */
export class ChatFactRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  async sessionCreated(session: Omit<SessionRow, 'deleted_at'>): Promise<void> {
    const { session_id: _id, ...values } = session
    await this.#db
      .insertInto('sessions')
      .values(session)
      .onConflict((conflict) => conflict.column('session_id').doUpdateSet(values))
      .execute()
  }

  async sessionDeleted(session: Pick<SessionRow, 'session_id' | 'space_id'> & { deleted_at: string }): Promise<void> {
    await this.#db
      .insertInto('sessions')
      .values(session)
      // least() ignores nulls.
      .onConflict((conflict) =>
        conflict.column('session_id').doUpdateSet({ deleted_at: sql`least(sessions.deleted_at, excluded.deleted_at)` }),
      )
      .execute()
  }

  /** Deletes all facts of a user. */
  async forget(spaceId: string): Promise<void> {
    for (const table of ['tool_runs', 'messages', 'sessions'] as const) {
      await this.#db.deleteFrom(table).where('space_id', '=', spaceId).execute()
    }
  }

  async messageCreated(message: MessageRow): Promise<void> {
    await this.#db
      .insertInto('messages')
      .values(message)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async toolRunFinished(toolRun: ToolRunRow): Promise<void> {
    await this.#db
      .insertInto('tool_runs')
      .values(toolRun)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}
