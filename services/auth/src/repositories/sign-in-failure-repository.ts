import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

const isOver = sql<boolean>`sign_in_failures.window_start < now() - interval '15 minutes'`

export interface FailureCount {
  readonly bucket: Buffer
  readonly failures: number
  /** Until the 15-minute window ends. */
  readonly seconds_left: number
}

/** Failed sign-ins, counted per bucket in windows of 15 minutes that start with the first failure. */
export class SignInFailureRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Returns the failures of the bucket's window, this one included. */
  async add(bucket: Buffer): Promise<number> {
    const { failures } = await this.#db
      .insertInto('sign_in_failures')
      .values({ bucket, failures: 1 })
      .onConflict((conflict) =>
        conflict.column('bucket').doUpdateSet({
          failures: sql<number>`case when ${isOver} then 1 else sign_in_failures.failures + 1 end`,
          window_start: sql<string>`case when ${isOver} then now() else sign_in_failures.window_start end`,
        }),
      )
      .returning('failures')
      .executeTakeFirstOrThrow()
    return failures
  }

  count(buckets: readonly Buffer[]): Promise<FailureCount[]> {
    return this.#db
      .selectFrom('sign_in_failures')
      .select(['bucket', 'failures'])
      .select(sql<number>`ceil(extract(epoch from window_start + interval '15 minutes' - now()))::int`.as('seconds_left'))
      .where('bucket', 'in', buckets)
      .where(sql<boolean>`not ${isOver}`)
      .execute()
  }

  async clear(bucket: Buffer): Promise<void> {
    await this.#db.deleteFrom('sign_in_failures').where('bucket', '=', bucket).execute()
  }

  async removeExpired(): Promise<void> {
    await this.#db.deleteFrom('sign_in_failures').where(isOver).execute()
  }
}
