import type { Transaction } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

/** Remembers, in the effect's own transaction, which events had their effect. */
export class Inbox {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /** True the first time; a second delivery that runs at the same time waits for the outcome of the first. */
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
