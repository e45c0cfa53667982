import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import type { Part } from '@youworker/database/unit-of-work'
import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'

export type GrantRow = Selectable<IngestionTables['collection_grants']>
type NewGrant = Omit<Insertable<IngestionTables['collection_grants']>, 'created_at' | 'paused_at'>

/** A collection of others that a user may read; `id` is the collection's. */
export interface SharedCollection extends Part, Pick<GrantRow, 'name' | 'role' | 'group_id'> {}

/** Who was let into collections of spaces that are not theirs. */
export class GrantRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** What a user was let into, in a unit of work for that user's own space. */
  sharedWith(userId: string, limit: number): Promise<SharedCollection[]> {
    return this.#db
      .selectFrom('collection_grants')
      .select(['collection_id as id', 'space_id', 'name', 'role', 'group_id'])
      .where('user_id', '=', userId)
      .where('paused_at', 'is', null)
      .orderBy('created_at')
      .limit(limit)
      .execute()
  }

  /** In the unit of work of a space only those of its collections count. */
  async countOf(userId: string): Promise<number> {
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from collection_grants where user_id = ${userId}`.execute(this.#db)
    return rows[0]?.count ?? 0
  }

  async list(spaceId: string, collectionId: string, { limit, offset }: { limit: number; offset: number }) {
    const found = this.#db
      .selectFrom('collection_grants')
      .where('space_id', '=', spaceId)
      .where('collection_id', '=', collectionId)
    const rows = await found.selectAll().orderBy('created_at').orderBy('user_id').limit(limit).offset(offset).execute()
    const { total } = await found.select(sql<number>`count(*)::int`.as('total')).executeTakeFirstOrThrow()
    return { rows, total }
  }

  get(spaceId: string, collectionId: string, userId: string): Promise<GrantRow | undefined> {
    const found = this.#db.selectFrom('collection_grants').selectAll().where('collection_id', '=', collectionId)
    return found.where('space_id', '=', spaceId).where('user_id', '=', userId).executeTakeFirst()
  }

  put(grant: NewGrant): Promise<GrantRow> {
    return this.#db
      .insertInto('collection_grants')
      .values(grant)
      .onConflict((conflict) => conflict.columns(['collection_id', 'user_id']).doUpdateSet({ role: grant.role }))
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  /** Returns whether there was one. */
  async remove(spaceId: string, collectionId: string, userId: string): Promise<boolean> {
    const found = this.#db.deleteFrom('collection_grants').where('collection_id', '=', collectionId)
    const { numDeletedRows } = await found.where('space_id', '=', spaceId).where('user_id', '=', userId).executeTakeFirst()
    return numDeletedRows > 0n
  }

  removeAll(spaceId: string, collectionId: string): Promise<Pick<GrantRow, 'user_id' | 'space_id'>[]> {
    const found = this.#db.deleteFrom('collection_grants').where('collection_id', '=', collectionId)
    return found.where('space_id', '=', spaceId).returning(['user_id', 'space_id']).execute()
  }

  async forget(userId: string): Promise<void> {
    await this.#db.deleteFrom('collection_grants').where('user_id', '=', userId).execute()
  }

  /** Of a space that is deleted and can be restored. */
  async pause(spaceId: string, isPaused: boolean): Promise<void> {
    await this.#db
      .updateTable('collection_grants')
      .set({ paused_at: isPaused ? sql<string>`now()` : null })
      .where('space_id', '=', spaceId)
      .execute()
  }
}
