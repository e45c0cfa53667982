import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

/** Counts failed sign-ins that have something in common. */
export interface FailureBucket {
  readonly hash: Buffer
  /** From this failure on each one blocks the bucket, for twice as long as the one before. */
  readonly firstBlocking: number
}

const FIRST_BLOCK_S = 10
const LONGEST_BLOCK_S = 900
/** A bucket without a failure for this long starts anew. It is longer than LONGEST_BLOCK_S. */
const isOver = sql<boolean>`sign_in_failures.last_failed_at < now() - interval '1 hour'`

export class SignInFailureRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Counts one failure in each bucket. Returns the failures of the first one, this one included. */
  async add(buckets: readonly [FailureBucket, ...FailureBucket[]]): Promise<number> {
    const counts = new Map<FailureBucket, number>()
    // In one order everywhere, so that two failures never wait for each other.
    for (const bucket of buckets.toSorted((a, b) => a.hash.compare(b.hash))) counts.set(bucket, await this.#addTo(bucket))
    return counts.get(buckets[0]) ?? 1
  }

  /** Seconds until the last of the buckets is no longer blocked; 0 when none is. */
  async blockedFor(buckets: readonly FailureBucket[]): Promise<number> {
    const { seconds } = await this.#db
      .selectFrom('sign_in_failures')
      .select(sql<number>`coalesce(ceil(extract(epoch from max(blocked_until) - now())), 0)::int`.as('seconds'))
      .where(
        'bucket',
        'in',
        buckets.map(({ hash }) => hash),
      )
      .where('blocked_until', '>', sql<string>`now()`)
      .executeTakeFirstOrThrow()
    return seconds
  }

  async clear({ hash }: FailureBucket): Promise<void> {
    await this.#db.deleteFrom('sign_in_failures').where('bucket', '=', hash).execute()
  }

  async removeExpired(): Promise<void> {
    await this.#db.deleteFrom('sign_in_failures').where(isOver).execute()
  }

  async #addTo({ hash, firstBlocking }: FailureBucket): Promise<number> {
    const failures = sql<number>`case when ${isOver} then 1 else sign_in_failures.failures + 1 end`
    const doublings = sql`least(${failures} - ${firstBlocking}::int, 10)`
    const blockSeconds = sql`least(${LONGEST_BLOCK_S}::int, ${FIRST_BLOCK_S}::int * 2 ^ ${doublings})`
    const added = await this.#db
      .insertInto('sign_in_failures')
      .values({ bucket: hash, failures: 1, blocked_until: null })
      .onConflict((conflict) =>
        conflict.column('bucket').doUpdateSet({
          failures,
          last_failed_at: sql`now()`,
          blocked_until: sql<string>`case when ${failures} >= ${firstBlocking}::int then now() + ${blockSeconds} * interval '1 second' end`,
        }),
      )
      .returning('failures')
      .executeTakeFirstOrThrow()
    return added.failures
  }
}
