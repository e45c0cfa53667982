import type { Event } from '@youworker/contracts/define'
import { newId } from '@youworker/runtime/id'
import type { Transaction } from 'kysely'
import type { z } from 'zod'
import type { SystemTables } from '../schema/system-tables.ts'

interface Origin {
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
}

const MAX_DATA = 65_536

/** Events that leave when the transaction they are added in is committed. */
export class Outbox {
  readonly #db: Transaction<SystemTables>
  readonly #onAdd: () => void

  constructor(db: Transaction<SystemTables>, onAdd: () => void) {
    this.#db = db
    this.#onAdd = onAdd
  }

  /** `data` carries ids, counts and hashes, never text. Throws when it does not fit the event's payload. */
  async add<E extends Event>(event: E, data: z.input<E['payload']>, { correlationId, traceparent }: Origin = {}): Promise<void> {
    const json = JSON.stringify(event.payload.parse(data))
    // One event that the stream refuses would hold up all that come after it.
    if (json.length > MAX_DATA) throw new RangeError(`${event.subject} carries more than ${MAX_DATA} characters`)
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
