import type { FileStatus } from '@youworker/contracts/documents/vector-stores'
import type { BatchRow, IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'
import { ofRun, statusOf } from './store-repository.ts'

/** Files that were put into a vector store together. */
export class BatchRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async add(batch: Omit<BatchRow, 'created_at' | 'cancelled_at'>, documentIds: readonly string[]): Promise<void> {
    const { id: batch_id, space_id } = batch
    await this.#db.insertInto('file_batches').values(batch).execute()
    const rows = documentIds.map((document_id) => ({ batch_id, document_id, space_id }))
    await this.#db.insertInto('batch_files').values(rows).execute()
  }

  get(id: string, spaceId: string): Promise<BatchRow | undefined> {
    return this.#db.selectFrom('file_batches').selectAll().where('id', '=', id).where('space_id', '=', spaceId).executeTakeFirst()
  }

  async cancel(id: string, spaceId: string): Promise<void> {
    const batch = this.#db.updateTable('file_batches').set({ cancelled_at: sql<string>`coalesce(cancelled_at, now())` })
    await batch.where('id', '=', id).where('space_id', '=', spaceId).execute()
  }

  /** Of those of its files that are in the store. */
  async use({ id, collection_id, space_id }: BatchRow): Promise<{ status: FileStatus; files: number }[]> {
    const { rows } = await sql<{ status: FileStatus; files: number }>`
      select ${statusOf} as status, count(*)::integer as files
      from batch_files b join store_files f on f.document_id = b.document_id and f.collection_id = ${collection_id}
      join documents d on d.id = f.document_id and d.space_id = f.space_id ${ofRun}
      where b.batch_id = ${id} and b.space_id = ${space_id} and f.space_id = ${space_id} and d.space_id = ${space_id}
        and d.deleted_at is null group by 1`.execute(this.#db)
    return rows
  }
}
