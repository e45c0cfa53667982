import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { Transaction } from 'kysely'
import type { SystemTables } from './schema/system-tables.ts'

interface Call {
  readonly user_id: string
  readonly subject: string
  /** The client's key; without one the work always runs. */
  readonly key: string | undefined
  /** The input; only its hash is stored. */
  readonly request: unknown
}

/** Makes a repeated request return the stored result of the first without doing the work again. */
export class Idempotency {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /**
   * Runs `work` once per user, subject and key, and stores its result: a small JSON value of ids, never text. A concurrent
   * repeat waits for the first call. Throws `IDEMPOTENCY_MISMATCH` when the key was used with another request.
   */
  async once<T>({ user_id, subject, key, request }: Call, work: () => Promise<T>): Promise<T> {
    if (key === undefined) return work()
    if (key === '' || key.length > LIMITS.idempotencyKey || /\p{Cc}/u.test(key)) {
      throw new AppError(
        'VALIDATION_ERROR',
        `An idempotency key has 1 to ${LIMITS.idempotencyKey} characters and no control characters`,
      )
    }
    const id = { user_id, subject, key: key.toWellFormed() }
    const request_hash = hashOf(request)
    const inserted = await this.#db
      .insertInto('idempotency')
      .values({ ...id, request_hash })
      .onConflict((conflict) => conflict.doNothing())
      .returning('user_id')
      .executeTakeFirst()
    if (inserted === undefined) return this.#storedResponse(id, request_hash)
    const response = await work()
    await this.#db
      .updateTable('idempotency')
      .set({ response: JSON.stringify(response ?? null) })
      .where((where) => where.and(id))
      .execute()
    return response
  }

  /** Deletes what is stored of a user's requests. */
  async forget(userId: string): Promise<void> {
    await this.#db.deleteFrom('idempotency').where('user_id', '=', userId).execute()
  }

  async #storedResponse<T>(id: { user_id: string; subject: string; key: string }, requestHash: Buffer): Promise<T> {
    const row = await this.#db
      .selectFrom('idempotency')
      .select(['request_hash', 'response'])
      .where((where) => where.and(id))
      .executeTakeFirstOrThrow()
    if (!row.request_hash.equals(requestHash)) {
      throw new AppError('IDEMPOTENCY_MISMATCH', 'This idempotency key was used for another request; use a new key')
    }
    // Written by `once` for the same subject, hence of the same type.
    return row.response as T
  }
}

const hashOf = (request: unknown): Buffer =>
  createHash('sha256')
    .update(JSON.stringify(request, sortedKeys) ?? 'null')
    .digest()

/** Sorts keys, so that the order of fields does not change the hash. */
const sortedKeys = (_key: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value
