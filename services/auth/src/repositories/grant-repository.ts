import type { Scope } from '@youworker/contracts/scopes'
import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

export interface LiveGrant {
  readonly user_id: string
  readonly sid: string
  readonly username: string
  /** Of the key that started the run or its session. */
  readonly scopes: Scope[] | null
  readonly expires_at: string
}

export interface NewGrant {
  readonly id: string
  readonly user_id: string
  readonly sid: string
  readonly run_id: string
}

interface RunOfGrant {
  readonly grant_id: string
  readonly run_id: string
  readonly user_id: string
}

export class GrantRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Returns the grants of the runs, in any order; repeated calls create only one for each. */
  async add(grants: readonly NewGrant[]): Promise<NewGrant[]> {
    const column = (name: keyof NewGrant) => grants.map((grant) => grant[name])
    const { rows } = await sql<NewGrant>`
      insert into grants (id, user_id, sid, run_id, expires_at)
      select id, user_id, sid, run_id, now() + interval '7 days'
      from unnest(${column('id')}::uuid[], ${column('user_id')}::uuid[], ${column('sid')}::uuid[], ${column('run_id')}::uuid[])
        as new (id, user_id, sid, run_id)
      on conflict (user_id, run_id) do update set run_id = excluded.run_id
      returning id, user_id, sid, run_id`.execute(this.#db)
    return rows
  }

  /** Finds a grant that has not expired and whose user, and session or key, is still good. It expires with the key. */
  live(id: string): Promise<LiveGrant | undefined> {
    return this.#db
      .selectFrom('grants')
      .innerJoin('users', 'users.id', 'grants.user_id')
      .leftJoin('sessions', 'sessions.id', 'grants.sid')
      .leftJoin('api_keys', (join) => join.on(sql<boolean>`api_keys.id = coalesce(sessions.api_key_id, grants.sid)`))
      .select(['grants.user_id', 'grants.sid', 'users.username', 'api_keys.scopes'])
      .select(sql<string>`least(grants.expires_at, api_keys.expires_at)`.as('expires_at'))
      .where('grants.id', '=', id)
      .where('users.suspended_at', 'is', null)
      .where('grants.expires_at', '>', sql<string>`now()`)
      .where('api_keys.revoked_at', 'is', null)
      .where(sql<boolean>`coalesce(api_keys.expires_at > now(), true)`)
      .where(
        sql<boolean>`case when sessions.id is null then api_keys.id is not null
          else sessions.last_used_at > now() - interval '12 hours' and sessions.created_at > now() - interval '30 days' end`,
      )
      .executeTakeFirst()
  }

  async markStarted(runs: readonly RunOfGrant[]): Promise<void> {
    await this.#db
      .updateTable('grants')
      .set({ started_at: sql`now()` })
      .where(ofRuns(runs))
      .execute()
  }

  async remove(runs: readonly RunOfGrant[]): Promise<void> {
    await this.#db.deleteFrom('grants').where(ofRuns(runs)).execute()
  }

  /** Removes expired grants and those whose run did not start within an hour. */
  async removeExpired(): Promise<void> {
    await this.#db
      .deleteFrom('grants')
      .where(sql<boolean>`expires_at < now() or (started_at is null and created_at < now() - interval '1 hour')`)
      .execute()
  }
}

const ofRuns = (runs: readonly RunOfGrant[]) => sql<boolean>`(id, run_id, user_id) in (
  select * from unnest(${runs.map(({ grant_id }) => grant_id)}::uuid[], ${runs.map(({ run_id }) => run_id)}::uuid[], ${runs.map(({ user_id }) => user_id)}::uuid[]))`
