import type { AuthTables, UserRow } from '@youworker/database/owners/auth/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { sql, type Transaction } from 'kysely'

interface NewUser {
  readonly id: string
  readonly username: string
  readonly username_key: string
  readonly is_root: boolean
  readonly password_hash: string | null
  readonly email?: string | null
}

type UserChanges = Partial<Pick<UserRow, 'username' | 'username_key' | 'email' | 'is_root'>>

export class UserRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Returns `undefined` when the name is taken. */
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

  describe(ids: readonly string[]): Promise<{ id: string; username: string; suspended: boolean }[]> {
    return this.#db
      .selectFrom('users')
      .select(['id', 'username', sql<boolean>`suspended_at is not null`.as('suspended')])
      .where('id', '=', sql<string>`any(${[...ids]}::uuid[])`)
      .execute()
  }

  /** Locks the user with this name, so that replicas set up the root account one after another. */
  lockByKey(usernameKey: string): Promise<UserRow> {
    return this.#db.selectFrom('users').selectAll().where('username_key', '=', usernameKey).forUpdate().executeTakeFirstOrThrow()
  }

  /** Locks a user: changes of what they hold run one after another, and no token is signed meanwhile. */
  lock(id: string): Promise<UserRow | undefined> {
    return this.#db.selectFrom('users').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  }

  /** For signing a token: until the transaction ends, nobody suspends, signs out or demotes the user. */
  hold(id: string): Promise<UserRow | undefined> {
    return this.#db.selectFrom('users').selectAll().where('id', '=', id).forShare().executeTakeFirst()
  }

  async list(page: ListPage): Promise<Listed<UserRow>> {
    const users = this.#db.selectFrom('users')
    const [rows, counted] = await Promise.all([
      newestFirst(users.selectAll(), { time: 'created_at', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => users.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }

  update(id: string, changes: UserChanges): Promise<UserRow> {
    return this.#db.updateTable('users').set(changes).where('id', '=', id).returningAll().executeTakeFirstOrThrow()
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('users').where('id', '=', id).execute()
  }

  setSuspended(id: string, suspended: boolean): Promise<UserRow> {
    return this.#db
      .updateTable('users')
      .set({ suspended_at: suspended ? sql<string>`now()` : null })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
  }
}
