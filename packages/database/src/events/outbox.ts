import type { Event } from '@youworker/contracts/define'
import { currentRequest } from '@youworker/runtime/current-request'
import { newId } from '@youworker/runtime/id'
import type { Insertable, Transaction } from 'kysely'
import type { z } from 'zod'
import type { SystemTables } from '../schema/system-tables.ts'

interface Origin {
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
}

const MAX_DATA = 65_536

/** Adds events to the current transaction, all in one statement at its end; the relay publishes them after the commit. */
export class Outbox {
  readonly #db: Transaction<SystemTables>
  readonly #onAdd: () => void
  #added: Insertable<SystemTables['outbox']>[] = []

  constructor(db: Transaction<SystemTables>, onAdd: () => void) {
    this.#db = db
    this.#onAdd = onAdd
  }

  /**
   * `data` holds ids, counts and hashes, never text. Throws when it does not match the event's schema. By default the event belongs to
   * the request that is being worked on.
   */
  add<E extends Event>(event: E, data: z.input<E['payload']>, { correlationId, traceparent }: Origin = currentRequest()): void {
    const json = JSON.stringify(event.payload.parse(data))
    // The relay publishes in order: one event that the stream refuses would block all later ones.
    if (json.length > MAX_DATA) throw new RangeError(`${event.subject} is longer than ${MAX_DATA} characters`)
    this.#added.push({
      id: newId(),
      subject: event.subject,
      data: json,
      correlation_id: correlationId ?? null,
      traceparent: traceparent ?? null,
    })
    this.#onAdd()
  }

  /** Writes what was added, in its order. The unit of work calls it before its commit. */
  async write(): Promise<void> {
    const added = this.#added
    if (added.length === 0) return
    // Others of the transaction may add and write meanwhile.
    this.#added = []
    await this.#db.insertInto('outbox').values(added).execute()
  }
}
