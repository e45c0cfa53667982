import { sql, type Transaction } from 'kysely'
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

  /** Returns those that are delivered for the first time. In the order of ids, so that two replicas do not wait for each other. */
  async firstOf(eventIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#db
      .insertInto('inbox')
      .columns(['event_id'])
      .expression(sql`select id from unnest(${[...eventIds]}::uuid[]) as new (id) order by id`)
      .onConflict((conflict) => conflict.doNothing())
      .returning('event_id')
      .execute()
    return new Set(rows.map(({ event_id }) => event_id))
  }
}
