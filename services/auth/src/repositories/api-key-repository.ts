import type { AuthTables, UserRow } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

interface NewApiKey {
  readonly id: string
  readonly user_id: string
  readonly key_hash: Buffer
  readonly from_setting?: boolean
}

export class ApiKeyRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  async add(key: NewApiKey): Promise<void> {
    await this.#db.insertInto('api_keys').values(key).execute()
  }

  /** The user of an unrevoked key, and the key's id as `sid`. */
  owner(keyHash: Buffer): Promise<(UserRow & { sid: string }) | undefined> {
    return this.#db
      .selectFrom('api_keys')
      .innerJoin('users', 'users.id', 'api_keys.user_id')
      .selectAll('users')
      .select('api_keys.id as sid')
      .where('key_hash', '=', keyHash)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
  }

  /** The unrevoked key of `SECURITY__ROOT_API_KEY`. */
  fromSetting(userId: string): Promise<{ id: string; key_hash: Buffer } | undefined> {
    return this.#db
      .selectFrom('api_keys')
      .select(['id', 'key_hash'])
      .where('user_id', '=', userId)
      .where('from_setting', '=', true)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
  }

  async revoke(id: string): Promise<void> {
    await this.#db
      .updateTable('api_keys')
      .set({ revoked_at: sql`now()` })
      .where('id', '=', id)
      .execute()
  }
}
