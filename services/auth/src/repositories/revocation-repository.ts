import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

interface NewRevocation {
  readonly id: string
  readonly sid: string | null
  readonly sub: string | null
  readonly revoked_at: string
}

export class RevocationRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  async add(revocation: NewRevocation): Promise<void> {
    await this.#db.insertInto('revocations').values(revocation).execute()
  }

  /** The revocations that can still refuse a token: tokens live for at most 10 minutes. Newest first. */
  recent(limit: number): Promise<Omit<NewRevocation, 'id'>[]> {
    return this.#db
      .selectFrom('revocations')
      .select(['sid', 'sub', 'revoked_at'])
      .where('revoked_at', '>', sql<string>`now() - interval '15 minutes'`)
      .orderBy('revoked_at', 'desc')
      .limit(limit)
      .execute()
  }

  async removeOld(): Promise<void> {
    await this.#db
      .deleteFrom('revocations')
      .where('revoked_at', '<', sql<string>`now() - interval '1 hour'`)
      .execute()
  }
}
