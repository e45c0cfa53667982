import type { Scope } from '@youworker/contracts/scopes'
import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { type Selectable, sql, type Transaction } from 'kysely'

/** A session ends after 12 h without use, and 30 days after sign-in at the latest. */
const isLive = sql<boolean>`
  sessions.last_used_at > now() - interval '12 hours' and sessions.created_at > now() - interval '30 days'`
const endsAt = sql<string>`sessions.created_at + interval '30 days'`

type AuthSession = Selectable<AuthTables['sessions']>

interface NewSession {
  readonly id: string
  readonly user_id: string
  readonly secret_hash: Buffer
  readonly api_key_id: string | null
}

export type LiveSession = Pick<AuthSession, 'id' | 'user_id'> & {
  /** Of the key that signed in; `null` when it is not limited or there was none. */
  readonly scopes: Scope[] | null
  /** When the session ends even if it is used. */
  readonly ends_at: string
  /** Whether `last_used_at` is more than a minute old. */
  readonly is_stale: boolean
}

export class SessionRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  add(session: NewSession): Promise<{ ends_at: string }> {
    return this.#db.insertInto('sessions').values(session).returning(endsAt.as('ends_at')).executeTakeFirstOrThrow()
  }

  /**
   * Finds an unexpired session. The join makes the end of a key end its sessions also when sign-in and revocation were concurrent.
   */
  live(secretHash: Buffer): Promise<LiveSession | undefined> {
    return this.#db
      .selectFrom('sessions')
      .leftJoin('api_keys', 'api_keys.id', 'sessions.api_key_id')
      .select(['sessions.id', 'sessions.user_id', 'api_keys.scopes'])
      .select([
        sql<string>`least(${endsAt}, api_keys.expires_at)`.as('ends_at'),
        sql<boolean>`sessions.last_used_at < now() - interval '1 minute'`.as('is_stale'),
      ])
      .where('secret_hash', '=', secretHash)
      .where('api_keys.revoked_at', 'is', null)
      .where(sql<boolean>`coalesce(api_keys.expires_at > now(), true)`)
      .where(isLive)
      .executeTakeFirst()
  }

  get(id: string, userId: string): Promise<AuthSession | undefined> {
    return this.#db.selectFrom('sessions').selectAll().where('id', '=', id).where('user_id', '=', userId).executeTakeFirst()
  }

  /** A session goes on with the successor of its key. */
  async setKey(id: string, apiKeyId: string): Promise<void> {
    await this.#db.updateTable('sessions').set({ api_key_id: apiKeyId }).where('id', '=', id).execute()
  }

  /** Extends the idle timeout, at most once a minute over all replicas. */
  async touch(id: string): Promise<void> {
    await this.#db
      .updateTable('sessions')
      .set({ last_used_at: sql`now()` })
      .where('id', '=', id)
      .where('last_used_at', '<', sql<string>`now() - interval '1 minute'`)
      .execute()
  }

  async remove(id: string, userId: string): Promise<boolean> {
    const gone = await this.#db.deleteFrom('sessions').where('id', '=', id).where('user_id', '=', userId).executeTakeFirst()
    return gone.numDeletedRows > 0n
  }

  /** Removes the sessions of one key; returns their ids. */
  async removeOfKey(apiKeyId: string): Promise<string[]> {
    const gone = await this.#db.deleteFrom('sessions').where('api_key_id', '=', apiKeyId).returning('id').execute()
    return gone.map(({ id }) => id)
  }

  async removeOfUser(userId: string): Promise<void> {
    await this.#db.deleteFrom('sessions').where('user_id', '=', userId).execute()
  }

  async removeExpired(): Promise<void> {
    await this.#db
      .deleteFrom('sessions')
      .where(sql<boolean>`last_used_at < now() - interval '12 hours' or created_at < now() - interval '30 days'`)
      .execute()
  }
}
