import type { Event } from '@youworker/contracts/define'
import { currentRequest } from '@youworker/runtime/current-request'
import { newId } from '@youworker/runtime/id'
import type { Transaction } from 'kysely'
import type { z } from 'zod'
import type { SystemTables } from '../schema/system-tables.ts'

interface Origin {
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
}

const MAX_DATA = 65_536

/** Adds events to the current transaction; the relay publishes them after the commit. */
export class Outbox {
  readonly #db: Transaction<SystemTables>
  readonly #onAdd: () => void

  constructor(db: Transaction<SystemTables>, onAdd: () => void) {
    this.#db = db
    this.#onAdd = onAdd
  }

  /**
   * `data` holds ids, counts and hashes, never text. Throws when it does not match the event's schema. By default the event belongs to
   * the request that is being worked on.
   */
  async add<E extends Event>(
    event: E,
    data: z.input<E['payload']>,
    { correlationId, traceparent }: Origin = currentRequest(),
  ): Promise<void> {
    const json = JSON.stringify(event.payload.parse(data))
    // The relay publishes in order: one event that the stream refuses would block all later ones.
    if (json.length > MAX_DATA) throw new RangeError(`${event.subject} is longer than ${MAX_DATA} characters`)
    await this.#db
      .insertInto('outbox')
      .values({
        id: newId(),
        subject: event.subject,
        data: json,
        correlation_id: correlationId ?? null,
        traceparent: traceparent ?? null,
      })
      .execute()
    this.#onAdd()
  }
}
