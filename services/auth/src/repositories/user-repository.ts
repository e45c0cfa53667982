import type { AuthTables, UserRow } from '@youworker/database/owners/auth/tables'
import { sql, type Transaction } from 'kysely'

interface NewUser {
  readonly id: string
  readonly username: string
  readonly username_key: string
  readonly is_root: boolean
  readonly password_hash: string | null
}

export class UserRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Returns `undefined` when the name is taken (or there is a root user already). */
  add(user: NewUser): Promise<UserRow | undefined> {
    return this.#db
      .insertInto('users')
      .values(user)
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
  }

  get(id: string): Promise<UserRow | undefined> {
    return this.#db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  }

  byKey(usernameKey: string): Promise<UserRow | undefined> {
    return this.#db.selectFrom('users').selectAll().where('username_key', '=', usernameKey).executeTakeFirst()
  }

  names(ids: readonly string[]): Promise<{ id: string; username: string }[]> {
    return this.#db
      .selectFrom('users')
      .select(['id', 'username'])
      .where('id', '=', sql<string>`any(${ids}::uuid[])`)
      .execute()
  }

  /** Locks the root user, so that replicas set up the root account one after another. */
  lockRoot(): Promise<UserRow> {
    return this.#db.selectFrom('users').selectAll().where('is_root', '=', true).forUpdate().executeTakeFirstOrThrow()
  }
}
