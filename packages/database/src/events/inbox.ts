import type { Transaction } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

/** Records handled events in the transaction of their effect, so that a redelivered event has no second effect. */
export class Inbox {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /**
   * Returns true for the first delivery of an event. A concurrent second delivery waits until the first commits or rolls back.
   */
  async first(eventId: string): Promise<boolean> {
    const row = await this.#db
      .insertInto('inbox')
      .values({ event_id: eventId })
      .onConflict((conflict) => conflict.doNothing())
      .returning('event_id')
      .executeTakeFirst()
    return row !== undefined
  }
}
