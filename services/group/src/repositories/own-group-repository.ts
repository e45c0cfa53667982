import type { Page } from '@youworker/contracts/common'
import type { GroupTables } from '@youworker/database/owners/group/tables'
import { sql, type Transaction } from 'kysely'

const PRESENT = sql<boolean>`members.deleted_at is null`
/** With the deleted groups that an admin may restore. */
const RESTORABLE = sql<boolean>`(members.deleted_at is null or members.role = 'admin')`

/** Queries over all groups of one user, across their spaces. */
export class OwnGroupRepository {
  readonly #db: Transaction<GroupTables>

  constructor(db: Transaction<GroupTables>) {
    this.#db = db
  }

  async ids(userId: string): Promise<string[]> {
    const mine = this.#db.selectFrom('members').select('group_id').where('user_id', '=', userId)
    return (await mine.where('deleted_at', 'is', null).execute()).map(({ group_id }) => group_id)
  }

  /** Also of groups that are deleted. */
  async allIds(userId: string): Promise<string[]> {
    const rows = await this.#db.selectFrom('members').select('group_id').where('user_id', '=', userId).execute()
    return rows.map(({ group_id }) => group_id)
  }

  /** Newest first. `withDeleted`: also those that the user may restore. */
  async page(userId: string, { limit, offset }: Page, withDeleted = false): Promise<string[]> {
    const rows = await this.#groupsOf(userId, withDeleted)
      .select('groups.id')
      .orderBy('groups.created_at', 'desc')
      .orderBy('groups.id', 'desc')
      .limit(limit)
      .offset(offset)
      .execute()
    return rows.map(({ id }) => id)
  }

  async count(userId: string, withDeleted = false): Promise<number> {
    const { count } = await this.#db
      .selectFrom('members')
      .select(sql<number>`count(*)`.as('count'))
      .where('user_id', '=', userId)
      .where(withDeleted ? RESTORABLE : PRESENT)
      .executeTakeFirstOrThrow()
    return count
  }

  /** The user's present group with this name. */
  named(userId: string, nameKey: string): Promise<{ id: string } | undefined> {
    return this.#groupsOf(userId).select('groups.id').where('groups.name_key', '=', nameKey).executeTakeFirst()
  }

  /** With an array each group is found by its id: for a join of many groups Postgres would read the groups of all. */
  #groupsOf(userId: string, withDeleted = false) {
    const seen = withDeleted ? RESTORABLE : PRESENT
    return this.#db
      .selectFrom('groups')
      .where(sql<boolean>`groups.id = any(array(select group_id from members where user_id = ${userId} and ${seen}))`)
  }

  async forgetNameVersion(userId: string): Promise<void> {
    await this.#db.deleteFrom('name_versions').where('user_id', '=', userId).execute()
  }

  /** How often the user has named a group; 0 before the first. */
  async nameVersion(userId: string): Promise<number> {
    const row = await this.#db.selectFrom('name_versions').select('version').where('user_id', '=', userId).executeTakeFirst()
    return row?.version ?? 0
  }

  /**
   * Returns false when the user has named another group since `version` was read, so that names read with it may be outdated.
   */
  async advanceNameVersion(userId: string, version: number): Promise<boolean> {
    const moved = await this.#db
      .insertInto('name_versions')
      .values({ user_id: userId, version: version + 1 })
      .onConflict((conflict) =>
        conflict
          .column('user_id')
          .doUpdateSet({ version: version + 1 })
          .where('name_versions.version', '=', version),
      )
      .returning('version')
      .executeTakeFirst()
    return moved !== undefined
  }
}
