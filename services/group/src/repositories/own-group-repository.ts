import type { GroupTables } from '@youworker/database/owners/group/tables'
import { sql, type Transaction } from 'kysely'

/** What is asked about a person rather than a group: it spans the spaces of all their groups. */
export class OwnGroupRepository {
  readonly #db: Transaction<GroupTables>

  constructor(db: Transaction<GroupTables>) {
    this.#db = db
  }

  async ids(userId: string): Promise<string[]> {
    const rows = await this.#db.selectFrom('members').select('group_id').where('user_id', '=', userId).execute()
    return rows.map(({ group_id }) => group_id)
  }

  async count(userId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('members')
      .select(sql<number>`count(*)`.as('count'))
      .where('user_id', '=', userId)
      .executeTakeFirstOrThrow()
    return count
  }

  /** The group of the user's that has this name. */
  named(userId: string, nameKey: string): Promise<{ id: string } | undefined> {
    return this.#db
      .selectFrom('members')
      .innerJoin('groups', 'groups.id', 'members.group_id')
      .select('groups.id')
      .where('members.user_id', '=', userId)
      .where('groups.name_key', '=', nameKey)
      .executeTakeFirst()
  }

  /** How often the user has given a name to a group. */
  async nameVersion(userId: string): Promise<number> {
    const row = await this.#db.selectFrom('name_versions').select('version').where('user_id', '=', userId).executeTakeFirst()
    return row?.version ?? 0
  }

  /** False when the user has given another name since `version` was read: what was read about names no longer holds. */
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
