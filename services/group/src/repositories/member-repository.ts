import type { Page } from '@youworker/contracts/common'
import type { GroupTables } from '@youworker/database/owners/group/tables'
import { sql, type Transaction } from 'kysely'

type Role = 'admin' | 'member'

export interface Membership {
  readonly user_id: string
  readonly role: Role
  readonly joined_at: string
}

const COLUMNS = ['user_id', 'role', 'joined_at'] as const

export class MemberRepository {
  readonly #db: Transaction<GroupTables>

  constructor(db: Transaction<GroupTables>) {
    this.#db = db
  }

  get(groupId: string, userId: string): Promise<Membership | undefined> {
    return this.#db
      .selectFrom('members')
      .select(COLUMNS)
      .where('group_id', '=', groupId)
      .where('user_id', '=', userId)
      .executeTakeFirst()
  }

  /** Returns `undefined` when the user is a member already. */
  add(groupId: string, userId: string, role: Role): Promise<Membership | undefined> {
    return this.#db
      .insertInto('members')
      .values({ group_id: groupId, user_id: userId, role })
      .onConflict((conflict) => conflict.doNothing())
      .returning(COLUMNS)
      .executeTakeFirst()
  }

  async setRole(groupId: string, userId: string, role: Role): Promise<void> {
    await this.#db.updateTable('members').set({ role }).where('group_id', '=', groupId).where('user_id', '=', userId).execute()
  }

  async remove(groupId: string, userId: string): Promise<void> {
    await this.#db.deleteFrom('members').where('group_id', '=', groupId).where('user_id', '=', userId).execute()
  }

  async isOnlyAdmin(groupId: string, userId: string): Promise<boolean> {
    const other = await this.#db
      .selectFrom('members')
      .select('user_id')
      .where('group_id', '=', groupId)
      .where('role', '=', 'admin')
      .where('user_id', '!=', userId)
      .limit(1)
      .executeTakeFirst()
    return other === undefined
  }

  /** The member other than this one who joined first. */
  longestStanding(groupId: string, otherThan: string): Promise<Membership | undefined> {
    return this.#db
      .selectFrom('members')
      .select(COLUMNS)
      .where('group_id', '=', groupId)
      .where('user_id', '!=', otherThan)
      .orderBy('joined_at')
      .orderBy('user_id')
      .limit(1)
      .executeTakeFirst()
  }

  /** Newest first. */
  list(groupId: string, { limit, offset }: Page): Promise<Membership[]> {
    return this.#db
      .selectFrom('members')
      .select(COLUMNS)
      .where('group_id', '=', groupId)
      .orderBy('joined_at', 'desc')
      .orderBy('user_id', 'desc')
      .limit(limit)
      .offset(offset)
      .execute()
  }

  async count(groupId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('members')
      .select(sql<number>`count(*)`.as('count'))
      .where('group_id', '=', groupId)
      .executeTakeFirstOrThrow()
    return count
  }
}
