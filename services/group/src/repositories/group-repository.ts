import type { GroupTables } from '@youworker/database/owners/group/tables'
import { type Selectable, sql, type Transaction } from 'kysely'
import type { Membership } from './member-repository.ts'

type Role = 'admin' | 'member'
type GroupRow = Selectable<GroupTables['groups']>

/** A group as one of its members sees it. */
export interface GroupView {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly member_count: number
  readonly cache_answers: boolean
  readonly role: Role
}

interface ListedGroup extends GroupView, Pick<GroupRow, 'deleted_at' | 'erase_after'> {}

/** Its instructions are sealed. */
export interface GroupWithInstructions extends GroupView {
  readonly instructions: Buffer | null
}

export interface GroupWithMembers extends GroupWithInstructions {
  readonly members: readonly Membership[]
}

interface NewGroup {
  readonly id: string
  readonly name: string
  readonly name_key: string
  readonly description: string | null
  readonly instructions: Buffer | null
  readonly cache_answers: boolean
  readonly created_by: string
}

interface GroupPatch {
  readonly name?: string
  readonly name_key?: string
  readonly description?: string | null
  readonly instructions?: Buffer | null
  readonly cache_answers?: boolean
}

export class GroupRepository {
  readonly #db: Transaction<GroupTables>

  constructor(db: Transaction<GroupTables>) {
    this.#db = db
  }

  /** Returns it as its first member sees it, its admin. */
  async add(group: NewGroup): Promise<GroupView> {
    const columns = ['id', 'name', 'description', 'cache_answers', 'created_at', 'updated_at'] as const
    const row = await this.#db.insertInto('groups').values(group).returning(columns).executeTakeFirstOrThrow()
    return { ...row, member_count: 1, role: 'admin' }
  }

  seenBy(userId: string, groupId: string): Promise<GroupWithInstructions | undefined> {
    return this.#views(userId).select('groups.instructions').where('groups.id', '=', groupId).executeTakeFirst()
  }

  /**
   * Newest members first, at most `limit`. The most frequent statement of the service, in SQL because building it with Kysely
   * took a third of the CPU time of a read.
   */
  async seenWithMembers(userId: string, groupId: string, limit: number): Promise<GroupWithMembers | undefined> {
    // Postgres formats times inside JSON, so the format of the driver is repeated here.
    const { rows } = await sql<GroupWithMembers>`
      select groups.id, groups.name, groups.description, groups.instructions, groups.cache_answers, groups.created_at, groups.updated_at, mine.role,
        (select count(*) from members where group_id = groups.id) as member_count,
        to_json(array(
          select json_build_object('user_id', user_id, 'role', role,
            'joined_at', to_char(joined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
          from members where group_id = groups.id order by joined_at desc, user_id desc limit ${limit})) as members
      from groups join members as mine on mine.group_id = groups.id
      where mine.user_id = ${userId} and groups.id = ${groupId}`.execute(this.#db)
    return rows[0]
  }

  /** In the order of the ids. */
  async seenAmong(userId: string, groupIds: readonly string[]): Promise<ListedGroup[]> {
    const views = await this.#views(userId)
      .select(['groups.deleted_at', 'groups.erase_after'])
      .where('groups.id', 'in', groupIds)
      .execute()
    const byId = new Map(views.map((view) => [view.id, view]))
    return groupIds.flatMap((id) => byId.get(id) ?? [])
  }

  /** Locks the group, so that changes of it and its members run one after another. Returns whether the group exists. */
  async lock(groupId: string): Promise<boolean> {
    const row = await this.#db.selectFrom('groups').select('id').where('id', '=', groupId).forUpdate().executeTakeFirst()
    return row !== undefined
  }

  /** What it says of the answers of a member; `undefined` for everybody else. */
  promptFor(
    userId: string,
    groupId: string,
  ): Promise<Pick<GroupWithInstructions, 'id' | 'name' | 'instructions' | 'cache_answers'> | undefined> {
    return this.#db
      .selectFrom('groups')
      .innerJoin('members as mine', 'mine.group_id', 'groups.id')
      .select(['groups.id', 'groups.name', 'groups.instructions', 'groups.cache_answers'])
      .where('mine.user_id', '=', userId)
      .where('groups.id', '=', groupId)
      .executeTakeFirst()
  }

  /** As its admins see one that is deleted or not. */
  get(groupId: string): Promise<Pick<GroupRow, 'name' | 'deleted_at'> | undefined> {
    return this.#db.selectFrom('groups').select(['name', 'deleted_at']).where('id', '=', groupId).executeTakeFirst()
  }

  /** One whose time to be restored is over. */
  lockExpired(groupId: string): Promise<Pick<GroupRow, 'deleted_at' | 'deleted_by' | 'created_by'> | undefined> {
    const found = this.#db.selectFrom('groups').select(['deleted_at', 'deleted_by', 'created_by']).where('id', '=', groupId)
    return found
      .where('erase_after', '<=', sql<string>`now()`)
      .forUpdate()
      .executeTakeFirst()
  }

  /** How many rows there are of a group, by table. */
  async count(groupId: string): Promise<Record<string, number>> {
    const { rows } = await sql<Record<string, number>>`select
      (select count(*) from groups where id = ${groupId}) as groups,
      (select count(*) from members where group_id = ${groupId}) as members,
      (select count(*) from data_keys where space_id = ${groupId}) as keys`.execute(this.#db)
    return rows[0] ?? {}
  }

  policy(groupId: string): Promise<Pick<GroupRow, 'document_changes'> | undefined> {
    return this.#db.selectFrom('groups').select('document_changes').where('id', '=', groupId).executeTakeFirst()
  }

  async setPolicy(groupId: string, policy: Pick<GroupRow, 'document_changes'>): Promise<void> {
    await this.#db.updateTable('groups').set(policy).where('id', '=', groupId).execute()
  }

  async update(groupId: string, changes: GroupPatch): Promise<void> {
    await this.#db
      .updateTable('groups')
      .set({ ...changes, updated_at: sql`now()` })
      .where('id', '=', groupId)
      .execute()
  }

  async remove(groupId: string): Promise<void> {
    await this.#db.deleteFrom('groups').where('id', '=', groupId).execute()
  }

  #views(userId: string) {
    return this.#db
      .selectFrom('groups')
      .innerJoin('members as mine', 'mine.group_id', 'groups.id')
      .select(['groups.id', 'groups.name', 'groups.description', 'groups.cache_answers'])
      .select(['groups.created_at', 'groups.updated_at', 'mine.role'])
      .select((group) =>
        group
          .selectFrom('members')
          .select(sql<number>`count(*)`.as('count'))
          .whereRef('members.group_id', '=', 'groups.id')
          .$asScalar()
          .$notNull()
          .as('member_count'),
      )
      .where('mine.user_id', '=', userId)
  }
}
