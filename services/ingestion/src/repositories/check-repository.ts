import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

/** A passage that the search index should hold. */
export interface ExpectedChunk {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
}

interface TextWithoutVector {
  readonly text: string
  readonly text_hash: string
  readonly title: string
  readonly title_path: string[]
}

/** What of a space's rows does not fit together, and its removal. */
export class CheckRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** All spaces that have something, by id, behind `after`. For the system scope. */
  async spaces(after: string | undefined, limit: number): Promise<string[]> {
    const { rows } = await sql<{ space_id: string }>`
      select space_id from space_indexes where space_id > ${after ?? '00000000-0000-0000-0000-000000000000'}
      order by space_id limit ${limit}`.execute(this.#db)
    return rows.map(({ space_id }) => space_id)
  }

  /** Those of the ids that are spaces which have or had documents and are not erased. For the system scope. */
  async known(spaceIds: readonly string[]): Promise<string[]> {
    const { rows } = await sql<{ space_id: string }>`
      select space_id from space_indexes where space_id = any(${[...spaceIds]}::uuid[]) and erased_at is null`.execute(this.#db)
    return rows.map(({ space_id }) => space_id)
  }

  async totals(spaceId: string): Promise<{ documents: number; chunks: number }> {
    const { rows } = await sql<{ documents: number; chunks: number }>`select
      (select count(*) from documents where space_id = ${spaceId}) as documents,
      (select count(*) from chunks where space_id = ${spaceId}) as chunks`.execute(this.#db)
    return rows[0] ?? { documents: 0, chunks: 0 }
  }

  /** The passages of present documents behind `after`, by id. */
  async expected(spaceId: string, after: string, limit: number): Promise<ExpectedChunk[]> {
    const { rows } = await sql<ExpectedChunk>`
      select c.id as chunk_id, c.document_id, c.generation from chunks c
      join documents d on d.id = c.document_id and d.generation = c.generation and d.deleted_at is null
      where c.space_id = ${spaceId} and c.id > ${after} order by c.id limit ${limit}`.execute(this.#db)
    return rows
  }

  /** Passages of versions that are no more. */
  async staleChunks(spaceId: string): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      select c.id from chunks c join documents d on d.id = c.document_id
      where c.space_id = ${spaceId} and c.generation <> d.generation`.execute(this.#db)
    return rows.map(({ id }) => id)
  }

  async deleteChunks(spaceId: string, ids: readonly string[]): Promise<void> {
    await sql`delete from chunks where space_id = ${spaceId} and id = any(${[...ids]}::uuid[])`.execute(this.#db)
  }

  /** Documents that have not as many passages as they had when they were read. */
  async incomplete(spaceId: string): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      select d.id from documents d where d.space_id = ${spaceId} and d.chunk_count <> (
        select count(*) from chunks c where c.document_id = d.id and c.generation = d.generation)`.execute(this.#db)
    return rows.map(({ id }) => id)
  }

  /** Texts of present passages without a vector of the model. */
  async withoutVector(spaceId: string, model: string, limit: number): Promise<TextWithoutVector[]> {
    const { rows } = await sql<TextWithoutVector>`
      select distinct on (c.text_hash) c.text, c.text_hash, c.title_path, d.title from chunks c
      join documents d on d.id = c.document_id and d.generation = c.generation
      where c.space_id = ${spaceId} and not exists (select from embeddings e
        where e.space_id = c.space_id and e.text_hash = c.text_hash and e.model = ${model})
      order by c.text_hash limit ${limit}`.execute(this.#db)
    return rows
  }

  /** Texts that have a vector and are in no passage. */
  async orphanVectors(spaceId: string): Promise<string[]> {
    const { rows } = await sql<{ text_hash: string }>`
      select distinct e.text_hash from embeddings e where e.space_id = ${spaceId} and not exists (
        select from chunks c where c.space_id = e.space_id and c.text_hash = e.text_hash)`.execute(this.#db)
    return rows.map(({ text_hash }) => text_hash)
  }

  /** Files that a run took an hour ago and more, and that no document has and no run needs. */
  async orphanFiles(spaceId: string): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      select b.id from blobs b where b.space_id = ${spaceId} and b.used_at < now() - interval '1 hour'
        and not exists (select from documents d where d.blob_id = b.id)
        and not exists (select from run_files f where f.blob_id = b.id)`.execute(this.#db)
    return rows.map(({ id }) => id)
  }

  /** Documents whose file lacks parts. */
  async damagedFiles(spaceId: string): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      select d.id from documents d join blobs b on b.id = d.blob_id cross join lateral (
        select count(*) as parts, coalesce(sum(p.size), 0) as size from blob_pieces p where p.blob_id = b.id) stored
      where d.space_id = ${spaceId} and (b.pieces <> stored.parts or b.size <> stored.size)`.execute(this.#db)
    return rows.map(({ id }) => id)
  }
}
