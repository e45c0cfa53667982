import type { Page } from '@youworker/contracts/common'
import type { ApiKeyRow, AuthTables } from '@youworker/database/owners/auth/tables'
import { type Insertable, sql, type Transaction } from 'kysely'

type NewApiKey = Omit<Insertable<AuthTables['api_keys']>, 'created_at' | 'revoked_at' | 'last_used_at'>

/** A key that works. */
const isLive = sql<boolean>`api_keys.revoked_at is null and (api_keys.expires_at is null or api_keys.expires_at > now())`
const now = sql<string>`now()`

export interface KeyOwner extends Pick<ApiKeyRow, 'id' | 'user_id' | 'scopes' | 'expires_at' | 'replaces'> {
  readonly is_expired: boolean
  /** Whether `last_used_at` is more than ten minutes old. */
  readonly is_stale: boolean
}

export class ApiKeyRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  add(key: NewApiKey): Promise<ApiKeyRow> {
    return this.#db.insertInto('api_keys').values(key).returningAll().executeTakeFirstOrThrow()
  }

  /** The key with this hash, also an expired one: its user is told so. */
  byHash(keyHash: Buffer): Promise<KeyOwner | undefined> {
    return this.#db
      .selectFrom('api_keys')
      .select(['id', 'user_id', 'scopes', 'expires_at', 'replaces'])
      .select([
        sql<boolean>`coalesce(expires_at <= now(), false)`.as('is_expired'),
        sql<boolean>`coalesce(last_used_at < now() - interval '10 minutes', true)`.as('is_stale'),
      ])
      .where('key_hash', '=', keyHash)
      .where(sql<boolean>`(revoked_at is null or expires_at <= now())`)
      .orderBy('revoked_at', (order) => order.desc().nullsFirst())
      .executeTakeFirst()
  }

  /** The key of a user, if it has not ended. */
  live(id: string, userId: string): Promise<ApiKeyRow | undefined> {
    return this.#db
      .selectFrom('api_keys')
      .selectAll()
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .where(isLive)
      .executeTakeFirst()
  }

  /** The key that came with the account, or its successor. */
  ofAccount(userId: string): Promise<ApiKeyRow | undefined> {
    return this.#db
      .selectFrom('api_keys')
      .selectAll()
      .where('user_id', '=', userId)
      .where('of_account', '=', true)
      .where(isLive)
      .orderBy('created_at')
      .orderBy('id')
      .executeTakeFirst()
  }

  /** The keys of a user that have not ended, newest first. */
  async list(userId: string, { limit, offset }: Page): Promise<{ rows: ApiKeyRow[]; total: number }> {
    const live = this.#db.selectFrom('api_keys').where('user_id', '=', userId).where(isLive)
    const newest = live.selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc')
    const rows = await newest.limit(limit).offset(offset).execute()
    return { rows, total: await this.count(userId) }
  }

  async count(userId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('api_keys')
      .where('user_id', '=', userId)
      .where(isLive)
      .select((select) => select.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return Number(count)
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

  async touch(id: string): Promise<void> {
    await this.#db.updateTable('api_keys').set({ last_used_at: now }).where('id', '=', id).execute()
  }

  async revoke(id: string): Promise<void> {
    await this.#db.updateTable('api_keys').set({ revoked_at: now }).where('id', '=', id).execute()
  }

  /**
   * Revokes successors that nobody seems to have, never used and a minute old: those of a key that is rotated again, and those of keys that
   * have ended, as by another successor.
   */
  async revokeLost(rotated?: string): Promise<void> {
    const isReplaced = sql<boolean>`not exists (select from api_keys as old where old.id = api_keys.replaces and old.revoked_at is null)`
    await this.#db
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('replaces', 'is not', null)
      .where((eb) => (rotated === undefined ? isReplaced : eb('replaces', '=', rotated)))
      .where('last_used_at', 'is', null)
      .where('created_at', '<', sql<string>`now() - interval '1 minute'`)
      .where('revoked_at', 'is', null)
      .execute()
  }

  /** The owner of a successor has it: it stands for itself. */
  async forgetReplaced(id: string): Promise<void> {
    await this.#db.updateTable('api_keys').set({ replaces: null }).where('id', '=', id).execute()
  }

  /** Revokes one key whose time is over; `undefined` when there is none. Replicas take different ones. */
  revokeExpired(): Promise<Pick<ApiKeyRow, 'id' | 'user_id'> | undefined> {
    return this.#db
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('id', '=', (select) =>
        select
          .selectFrom('api_keys as due')
          .select('due.id')
          .where('due.expires_at', '<=', now)
          .where('due.revoked_at', 'is', null)
          .limit(1)
          .forUpdate()
          .skipLocked(),
      )
      .returning(['id', 'user_id'])
      .executeTakeFirst()
  }

  async hasExpired(): Promise<boolean> {
    const due = await this.#db
      .selectFrom('api_keys')
      .select('id')
      .where('expires_at', '<=', now)
      .where('revoked_at', 'is', null)
      .limit(1)
      .executeTakeFirst()
    return due !== undefined
  }

  /** Deletes keys that ended a month ago. */
  async removeOld(): Promise<void> {
    await this.#db
      .deleteFrom('api_keys')
      .where('revoked_at', '<', sql<string>`now() - interval '30 days'`)
      .execute()
  }
}
