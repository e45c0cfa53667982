import { cleanText } from '@youworker/runtime/text/text'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Kysely, Selectable, Transaction } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

/** Samples how many events the service has given up. */
export async function sampleDeadLetters(db: Kysely<SystemTables>, schema: string): Promise<void> {
  const { count } = await db
    .selectFrom('dead_letters')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  metrics.deadLetters.labels(schema).set(Number(count))
}

type DeadLetterRow = Selectable<SystemTables['dead_letters']>

/** An event as received, which need not be valid JSON. */
export interface DeadLetter {
  readonly envelope_json: string
  readonly reason: string
}

const MAX_ENVELOPE = 1_048_576
const MAX_REASON = 2_000

/** Events that a consumer could not handle, as received, with the reason. */
export class DeadLetters {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  async add({ envelope_json, reason }: DeadLetter): Promise<void> {
    await this.#db
      .insertInto('dead_letters')
      .values({
        envelope: cleanText(envelope_json, { max: MAX_ENVELOPE, controls: 'mark' }),
        reason: cleanText(reason, { max: MAX_REASON }),
      })
      .execute()
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('dead_letters').where('id', '=', id).execute()
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
