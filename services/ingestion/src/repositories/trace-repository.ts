import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

/** What an erasure takes away: one document with its file and texts, or with none named everything of the space. */
export interface Traces {
  readonly space_id: readonly string[]
  readonly document_ids?: readonly string[]
  readonly blob_ids?: readonly string[]
  readonly text_hashes?: readonly string[]
}

/** Counts what is there of something, to tell what its erasure took and to verify that nothing is left. */
export class TraceRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async hashesOf(documentId: string): Promise<string[]> {
    const hashes = this.#db.selectFrom('chunks').select('text_hash').distinct().where('document_id', '=', documentId)
    return (await hashes.execute()).map(({ text_hash }) => text_hash)
  }

  /** By table. Of vectors those that only what is erased has. */
  async count({ space_id, document_ids, blob_ids = [], text_hashes = [] }: Traces): Promise<Record<string, number>> {
    const spaces = sql`any(${[...space_id]}::uuid[])`
    const documents = document_ids && sql`any(${[...document_ids]}::uuid[])`
    const ofSpace = sql`space_id = ${spaces}`
    const alone =
      document_ids &&
      sql`and e.text_hash = any(${[...text_hashes]}::text[]) and not exists (select from chunks c
        where c.space_id = e.space_id and c.text_hash = e.text_hash and c.document_id <> all(${[...document_ids]}::uuid[]))`
    const { rows } = await sql<Record<string, number>>`select
      (select count(*) from documents where ${documents ? sql`id = ${documents}` : ofSpace}) as documents,
      (select count(*) from chunks where ${documents ? sql`document_id = ${documents}` : ofSpace}) as chunks,
      (select count(*) from blobs where ${documents ? sql`id = any(${[...blob_ids]}::uuid[])` : ofSpace}) as files,
      (select count(*) from blob_pieces where ${documents ? sql`blob_id = any(${[...blob_ids]}::uuid[])` : ofSpace}) as file_parts,
      (select count(*) from previews where ${documents ? sql`blob_id = any(${[...blob_ids]}::uuid[])` : ofSpace}) as previews,
      (select count(*) from embeddings e where e.space_id = ${spaces} ${alone ?? sql``}) as vectors`.execute(this.#db)
    return rows[0] ?? {}
  }
}
