import type { Selectable, Transaction } from 'kysely'
import type { SystemTables } from './system-tables.ts'

type DeadLetterRow = Selectable<SystemTables['dead_letters']>

const MAX_ENVELOPE = 1_048_576
const MAX_REASON = 2_000

/** Events that a consumer gave up on, as they came, with the reason. */
export class DeadLetters {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /** The envelope need not be valid JSON. */
  async add({ envelope_json, reason }: { envelope_json: string; reason: string }): Promise<void> {
    await this.#db
      .insertInto('dead_letters')
      .values({ envelope: storable(envelope_json, MAX_ENVELOPE), reason: storable(reason, MAX_REASON) })
      .execute()
  }

  /** Newest first. */
  list({ limit, offset = 0 }: { limit: number; offset?: number }): Promise<DeadLetterRow[]> {
    return this.#db
      .selectFrom('dead_letters')
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .offset(offset)
      .execute()
  }
}

/** Postgres text holds no NUL and no half of a surrogate pair. */
export const storable = (text: string, max: number): string => text.slice(0, max).replaceAll('\0', '\uFFFD').toWellFormed()
