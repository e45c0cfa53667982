import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { type Selectable, sql, type Transaction } from 'kysely'

export type DeletedUser = Selectable<AuthTables['deleted_users']>

const after = (seconds: number) => sql<string>`now() + make_interval(secs => ${seconds})`

export class DeletedUserRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  async add(user: Pick<DeletedUser, 'user_id' | 'created_at' | 'waiting_for'>, dueInSeconds: number): Promise<void> {
    await this.#db
      .insertInto('deleted_users')
      .values({ ...user, due_at: after(dueInSeconds) })
      .execute()
  }

  get(userId: string): Promise<DeletedUser | undefined> {
    return this.#db.selectFrom('deleted_users').selectAll().where('user_id', '=', userId).executeTakeFirst()
  }

  /** Locks the row. `undefined` when the user's erasure is in another round or done. */
  lock(userId: string, round: number): Promise<DeletedUser | undefined> {
    return this.#db
      .selectFrom('deleted_users')
      .selectAll()
      .where('user_id', '=', userId)
      .where('round', '=', round)
      .where('erased_at', 'is', null)
      .forUpdate()
      .executeTakeFirst()
  }

  /** One that is due, locked. Replicas take different ones. */
  lockDue(): Promise<DeletedUser | undefined> {
    return this.#db
      .selectFrom('deleted_users')
      .selectAll()
      .where('erased_at', 'is', null)
      .where('due_at', '<=', sql<string>`now()`)
      .orderBy('due_at')
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
  }

  async hasDue(): Promise<boolean> {
    const due = await this.#db
      .selectFrom('deleted_users')
      .select('user_id')
      .where('erased_at', 'is', null)
      .where('due_at', '<=', sql<string>`now()`)
      .limit(1)
      .executeTakeFirst()
    return due !== undefined
  }

  async waitFor(userId: string, state: Pick<DeletedUser, 'round' | 'waiting_for'>, dueInSeconds: number): Promise<void> {
    await this.#db
      .updateTable('deleted_users')
      .set({ ...state, due_at: after(dueInSeconds) })
      .where('user_id', '=', userId)
      .execute()
  }

  async markErased(userId: string): Promise<void> {
    await this.#db
      .updateTable('deleted_users')
      .set({ waiting_for: [], erased_at: sql<string>`now()` })
      .where('user_id', '=', userId)
      .execute()
  }
}
