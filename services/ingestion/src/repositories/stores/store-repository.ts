import { type CollectionRow, type IngestionTables, NOT_READ } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'
import { pageClauses, pageOfRows, type PageStart, type RowPosition } from './row-page.ts'

/** A store is used when it is asked or changed; that is noted so often. */
const NOTED_EVERY = '1 minute'

export interface StoreChanges {
  readonly facts: Buffer | null
  readonly expires_after: number | null
}

export interface StoreUse {
  readonly collection_id: string
  readonly status: 'in_progress' | 'completed' | 'failed' | 'cancelled'
  readonly files: number
  readonly bytes: number
}

/** Collections as vector stores of OpenAI's protocol. */
export class StoreRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  get(id: string): Promise<CollectionRow | undefined> {
    return this.#db.selectFrom('collections').selectAll().where('id', '=', id).executeTakeFirst()
  }

  getAll(ids: readonly string[]): Promise<CollectionRow[]> {
    return this.#db
      .selectFrom('collections')
      .selectAll()
      .where(sql<boolean>`id = any(${[...ids]}::uuid[])`)
      .execute()
  }

  lock(id: string): Promise<CollectionRow | undefined> {
    return this.#db.selectFrom('collections').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  }

  /** `undefined` when the space has a collection of that name. */
  add(store: Pick<CollectionRow, 'id' | 'space_id' | 'name'> & StoreChanges): Promise<CollectionRow | undefined> {
    const added = this.#db.insertInto('collections').values({ ...store, last_active_at: sql<string>`now()` })
    return added
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
  }

  change(id: string, changes: StoreChanges): Promise<CollectionRow> {
    const changed = this.#db.updateTable('collections').set({ ...changes, last_active_at: sql<string>`now()` })
    return changed.where('id', '=', id).returningAll().executeTakeFirstOrThrow()
  }

  async noteUse(ids: readonly string[]): Promise<void> {
    await this.#db
      .updateTable('collections')
      .set({ last_active_at: sql<string>`now()` })
      .where(sql<boolean>`id = any(${[...ids]}::uuid[])`)
      .where(sql<boolean>`(last_active_at is null or last_active_at < now() - ${NOTED_EVERY}::interval)`)
      .execute()
  }

  position(id: string): Promise<RowPosition | undefined> {
    return this.#db.selectFrom('collections').select(['id', 'created_at']).where('id', '=', id).executeTakeFirst()
  }

  async list(spaceIds: readonly string[], page: PageStart): Promise<{ rows: CollectionRow[]; has_more: boolean }> {
    const { where, orderBy } = pageClauses({ time: 'collections.created_at', id: 'collections.id' }, page)
    const { rows } = await sql<CollectionRow>`
      select * from collections where space_id = any(${[...spaceIds]}::uuid[]) and ${where} ${orderBy}`.execute(this.#db)
    return pageOfRows(rows, page)
  }

  /** Who put files into the stores that are not read yet: what became of them is told by runs in their spaces. */
  async attachers(collectionIds: readonly string[], spaceIds: readonly string[]): Promise<string[]> {
    const { rows } = await sql<{ user_id: string }>`
      select distinct user_id from store_files
      where collection_id = any(${[...collectionIds]}::uuid[]) and space_id = any(${[...spaceIds]}::uuid[]) and run_id is not null`.execute(
      this.#db,
    )
    return rows.map(({ user_id }) => user_id)
  }

  /** Of each store by status, in a unit of work that sees the runs of {@link attachers}. */
  async use(stores: readonly Pick<CollectionRow, 'id' | 'space_id'>[]): Promise<StoreUse[]> {
    if (stores.length === 0) return []
    const [ids, spaces] = [stores.map(({ id }) => id), [...new Set(stores.map(({ space_id }) => space_id))]]
    const { rows } = await sql<StoreUse>`
      select collection_id, status, count(*)::integer as files, coalesce(sum(bytes_size), 0)::bigint as bytes from (
        select f.collection_id, d.bytes_size, ${statusOf} as status
        from store_files f join documents d on d.id = f.document_id and d.space_id = f.space_id ${ofRun}
        where f.collection_id = any(${ids}::uuid[]) and f.space_id = any(${spaces}::uuid[]) and d.deleted_at is null
        union all
        select c.id, d.bytes_size, 'completed' from collections c join documents d on d.space_id = c.space_id and d.collection = c.name
        where c.id = any(${ids}::uuid[]) and c.space_id = any(${spaces}::uuid[]) and d.space_id = any(${spaces}::uuid[])
          and d.pipeline <> ${NOT_READ} and d.deleted_at is null and ${isNotPutInto(sql`c.id`)}
      ) as member group by 1, 2`.execute(this.#db)
    return rows
  }
}

/** What became of a file `f` that was put into a store, of the document `d`. */
export const statusOf = sql`case
  when d.pipeline <> ${sql.lit(NOT_READ)} then 'completed'
  when f.refused is not null then 'failed'
  when rf.status in ('pending', 'running') then 'in_progress'
  when rf.status = 'cancelled' then 'cancelled'
  else 'failed' end`

/** The file of the run that reads it, while it is not read. Runs are in the space of who began them. */
export const ofRun = sql`left join run_files rf
  on rf.run_id = f.run_id and rf.index = f.run_index and rf.space_id = f.user_id and d.pipeline = ${sql.lit(NOT_READ)}`

/** Of a document `d` that has the label: it is counted once. */
export const isNotPutInto = (collectionId: ReturnType<typeof sql>) => sql`not exists (
  select from store_files put where put.collection_id = ${collectionId} and put.document_id = d.id and put.space_id = d.space_id)`
