import type { FileStatus } from '@youworker/contracts/documents/vector-stores'
import { type CollectionRow, type DocumentRow, type IngestionTables, NOT_READ } from '@youworker/database/owners/ingestion/tables'
import { type Insertable, type Kysely, sql } from 'kysely'
import { pageClauses, pageOfRows, type PageStart, type RowPosition } from './row-page.ts'
import { isNotPutInto, ofRun, statusOf } from './store-repository.ts'

export type Store = Pick<CollectionRow, 'id' | 'space_id' | 'name'>
export type NewStoreFile = Insertable<IngestionTables['store_files']>

export interface StoreFileRow {
  readonly id: string
  readonly created_at: string
  readonly bytes_size: number
  readonly path: string
  readonly status: FileStatus
  readonly attributes: Buffer | null
  readonly refused: string | null
  /** Of its run. */
  readonly error: string | null
}

interface FilePage extends PageStart {
  readonly status?: FileStatus | undefined
  readonly batch_id?: string | undefined
}

interface Member {
  readonly document_id: string
  readonly collection_id: string
  readonly attributes: Buffer | null
}

/** Files of vector stores: documents that were put into one, and those that have its label. */
export class StoreFileRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** The documents, locked in one order everywhere. */
  lockDocuments(spaceId: string, ids: readonly string[]): Promise<DocumentRow[]> {
    const found = this.#db.selectFrom('documents').selectAll().where('space_id', '=', spaceId).where('deleted_at', 'is', null)
    return found
      .where(sql<boolean>`id = any(${[...ids]}::uuid[])`)
      .where(sql<boolean>`(expires_at is null or expires_at > now())`)
      .orderBy('id')
      .forUpdate()
      .execute()
  }

  /** Of the documents, that are not read yet, the run that reads each. */
  async beingRead(spaceId: string, documentIds: readonly string[]): Promise<Map<string, { run_id: string; run_index: number }>> {
    const { rows } = await sql<{ document_id: string; run_id: string; run_index: number }>`
      select distinct on (f.document_id) f.document_id, f.run_id, f.run_index from store_files f
      join run_files rf on rf.run_id = f.run_id and rf.index = f.run_index and rf.space_id = f.user_id
      where f.space_id = ${spaceId} and f.document_id = any(${[...documentIds]}::uuid[]) and rf.status in ('pending', 'running')
      order by f.document_id`.execute(this.#db)
    return new Map(rows.map(({ document_id, ...run }) => [document_id, run]))
  }

  async put(files: readonly NewStoreFile[]): Promise<void> {
    if (files.length === 0) return
    await this.#db
      .insertInto('store_files')
      .values(files)
      .onConflict((conflict) =>
        conflict.columns(['collection_id', 'document_id']).doUpdateSet(({ ref }) => ({
          space_id: ref('excluded.space_id'),
          user_id: ref('excluded.user_id'),
          run_id: ref('excluded.run_id'),
          run_index: ref('excluded.run_index'),
          refused: ref('excluded.refused'),
          attributes: ref('excluded.attributes'),
        })),
      )
      .execute()
  }

  /** Documents that have no collection get this one, so that it is found under its name, too. */
  async label({ name, space_id }: Store, documentIds: readonly string[]): Promise<void> {
    const unlabelled = this.#db.updateTable('documents').set({ collection: name }).where('space_id', '=', space_id)
    await unlabelled
      .where(sql<boolean>`id = any(${[...documentIds]}::uuid[])`)
      .where('collection', 'is', null)
      .execute()
  }

  async remove(storeId: string, spaceId: string, documentId: string): Promise<void> {
    const file = this.#db.deleteFrom('store_files').where('collection_id', '=', storeId).where('space_id', '=', spaceId)
    await file.where('document_id', '=', documentId).execute()
  }

  /** Of a document that was taken out of a collection by its label, or with all of them when it moves to another space. */
  async leave(spaceId: string, documentId: string, collection?: string): Promise<void> {
    const files = this.#db.deleteFrom('store_files').where('space_id', '=', spaceId).where('document_id', '=', documentId)
    const ofName = sql<boolean>`collection_id in (select id from collections where space_id = ${spaceId} and name = ${collection ?? ''})`
    await (collection === undefined ? files : files.where(ofName)).execute()
  }

  async setAttributes(file: NewStoreFile): Promise<void> {
    await this.#db
      .insertInto('store_files')
      .values(file)
      .onConflict((conflict) =>
        conflict.columns(['collection_id', 'document_id']).doUpdateSet(({ ref }) => ({ attributes: ref('excluded.attributes') })),
      )
      .execute()
  }

  async count({ id, space_id }: Store): Promise<number> {
    const files = this.#db.selectFrom('store_files').select(({ fn }) => fn.countAll<number>().as('count'))
    const { count } = await files.where('collection_id', '=', id).where('space_id', '=', space_id).executeTakeFirstOrThrow()
    return Number(count)
  }

  async get(store: Store, documentId: string): Promise<StoreFileRow | undefined> {
    const one = { limit: 1, order: 'asc' } as const
    return (await this.#list(store, one, sql`d.id = ${documentId}`)).rows[0]
  }

  async position(store: Store, documentId: string): Promise<RowPosition | undefined> {
    const { id, space_id } = store
    const { rows } = await sql<RowPosition>`
      select d.id, coalesce(f.created_at, d.created_at) as created_at from documents d
      left join store_files f on f.document_id = d.id and f.collection_id = ${id} and f.space_id = d.space_id
      where d.id = ${documentId} and d.space_id = ${space_id}`.execute(this.#db)
    return rows[0]
  }

  list(store: Store, page: FilePage): Promise<{ rows: StoreFileRow[]; has_more: boolean }> {
    const { batch_id } = page
    const ofBatch = sql`exists (select from batch_files b where b.batch_id = ${batch_id ?? null} and b.document_id = d.id
      and b.space_id = ${store.space_id})`
    return this.#list(store, page, batch_id === undefined ? sql`true` : ofBatch)
  }

  async #list({ id, space_id, name }: Store, page: FilePage, which: ReturnType<typeof sql>) {
    const [put, labelled] = [
      pageClauses({ time: 'f.created_at', id: 'f.document_id' }, page),
      pageClauses({ time: 'd.created_at', id: 'd.id' }, page),
    ]
    const { status } = page
    const { rows } = await sql<StoreFileRow>`
      select member.* from (
        (select d.id, f.created_at, d.bytes_size, d.path, ${statusOf} as status, f.attributes, f.refused, rf.error
          from store_files f join documents d on d.id = f.document_id and d.space_id = f.space_id ${ofRun}
          where f.collection_id = ${id} and f.space_id = ${space_id} and d.space_id = ${space_id} and d.deleted_at is null
            and ${which} and ${put.where} and ${status === undefined ? sql`true` : sql`${statusOf} = ${status}`} ${put.orderBy})
        union all
        (select d.id, d.created_at, d.bytes_size, d.path, 'completed', null::bytea, null, null from documents d
          where d.space_id = ${space_id} and d.collection = ${name} and d.pipeline <> ${NOT_READ} and d.deleted_at is null
            and ${isNotPutInto(sql`${id}`)} and ${which} and ${labelled.where}
            and ${sql.lit(status === undefined || status === 'completed')} ${labelled.orderBy})
      ) as member ${pageClauses({ time: 'member.created_at', id: 'member.id' }, page).orderBy}`.execute(this.#db)
    return pageOfRows(rows, page)
  }

  /** The documents of the stores, that can be searched. */
  async members(stores: readonly Store[], limit: number): Promise<Member[]> {
    return this.#members(stores, sql`true`, limit)
  }

  /** Of these documents those in which stores they are. */
  async membersOf(stores: readonly Store[], documentIds: readonly string[]): Promise<(Member & { path: string })[]> {
    if (documentIds.length === 0) return []
    return this.#members(stores, sql`d.id = any(${[...documentIds]}::uuid[])`, documentIds.length * stores.length)
  }

  async #members(stores: readonly Store[], which: ReturnType<typeof sql>, limit: number): Promise<(Member & { path: string })[]> {
    const [ids, spaces] = [stores.map(({ id }) => id), [...new Set(stores.map(({ space_id }) => space_id))]]
    const { rows } = await sql<Member & { path: string }>`
      select member.* from (
        select f.document_id, f.collection_id, f.attributes, d.path from store_files f join documents d on d.id = f.document_id
          where f.collection_id = any(${ids}::uuid[]) and f.space_id = any(${spaces}::uuid[]) and d.space_id = f.space_id
            and d.pipeline <> ${NOT_READ} and d.deleted_at is null and ${which}
        union all
        select d.id, c.id, null::bytea, d.path from collections c join documents d on d.space_id = c.space_id and d.collection = c.name
          where c.id = any(${ids}::uuid[]) and c.space_id = any(${spaces}::uuid[]) and d.space_id = any(${spaces}::uuid[])
            and d.pipeline <> ${NOT_READ} and d.deleted_at is null and ${isNotPutInto(sql`c.id`)} and ${which}
      ) as member limit ${limit}`.execute(this.#db)
    return rows
  }
}
