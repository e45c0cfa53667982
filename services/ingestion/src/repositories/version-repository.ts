import type { DeletableColumns } from '@youworker/database/deletion/deletable-tables'
import type { DocumentRow, IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'
import { LabelRepository } from './label-repository.ts'

type LaterColumns = 'created_at' | 'last_ingested_at' | 'generation' | 'purpose' | 'expires_at' | keyof DeletableColumns
export type NewVersion = Omit<DocumentRow, LaterColumns>
export type Labels = Pick<DocumentRow, 'tags' | 'collection' | 'group_id' | 'is_private'>

/** The versions of documents that a run writes, many in one statement. */
export class VersionRepository {
  readonly #db: Kysely<IngestionTables>
  readonly #labels: LabelRepository

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
    this.#labels = new LabelRepository(db)
  }

  /** The documents at the paths, by the hash of the path. `lock`: until the transaction ends, in one order everywhere. */
  async byPath(spaceId: string, pathHashes: readonly string[], { lock }: { lock: boolean }): Promise<Map<string, DocumentRow>> {
    const found = this.#db
      .selectFrom('documents')
      .selectAll()
      .where('space_id', '=', spaceId)
      .where('deleted_at', 'is', null)
      .where(sql<boolean>`path_hash = any(${[...pathHashes]}::text[])`)
      .orderBy('path_hash')
    const rows = await (lock ? found.forUpdate() : found).execute()
    return new Map(rows.map((row) => [row.path_hash, row]))
  }

  /** Documents with the same bytes that were read as `pipeline` reads them. */
  sameContent(spaceId: string, sha256s: readonly string[], pipeline: string): Promise<DocumentRow[]> {
    return this.#db
      .selectFrom('documents')
      .selectAll()
      .where('space_id', '=', spaceId)
      .where('deleted_at', 'is', null)
      .where(sql<boolean>`sha256 = any(${[...sha256s]}::text[])`)
      .where('pipeline', '=', pipeline)
      .orderBy('id')
      .limit(2 * sha256s.length)
      .execute()
  }

  /** All of one space. Version 1 of each document, or the next one of its path, whose id stays. It belongs to who brought it. By the hash of the path. */
  async put(versions: readonly NewVersion[]): Promise<Map<string, DocumentRow>> {
    if (versions.length === 0) return new Map()
    const changed: (keyof NewVersion)[] = [
      'user_id',
      'path',
      'uri',
      'title',
      'mime',
      'bytes_size',
      'source',
      'tags',
      'collection',
    ]
    changed.push('group_id', 'is_private', 'blob_id', 'sha256', 'pipeline', 'chunk_count')
    const rows = await this.#db
      .insertInto('documents')
      .values(versions.map((version) => ({ ...version, generation: 1 })))
      .onConflict((conflict) =>
        conflict
          .columns(['space_id', 'path_hash'])
          .where('deleted_at', 'is', null)
          .doUpdateSet(({ ref }) => ({
            ...Object.fromEntries(changed.map((name) => [name, ref(`excluded.${name}`)])),
            generation: sql<number>`documents.generation + 1`,
            last_ingested_at: sql<string>`now()`,
          })),
      )
      .returningAll()
      .execute()
    await this.#labels.noteOf(rows[0]?.space_id ?? '', rows)
    return new Map(rows.map((row) => [row.path_hash, row]))
  }

  /** The same content came again, perhaps with other labels. */
  async touch(ids: readonly string[], labels: Labels): Promise<void> {
    const rows = await this.#db
      .updateTable('documents')
      .set({ ...labels, last_ingested_at: sql<string>`now()` })
      .where(sql<boolean>`id = any(${[...ids]}::uuid[])`)
      .returning('space_id')
      .execute()
    for (const space_id of new Set(rows.map((row) => row.space_id))) await this.#labels.noteOf(space_id, [labels])
  }

  /** The present generation of each, which stays until the transaction ends. */
  async lockSources(ids: readonly string[]): Promise<Map<string, number>> {
    if (ids.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('documents')
      .select(['id', 'generation'])
      .where(sql<boolean>`id = any(${[...ids]}::uuid[])`)
      .orderBy('id')
      .forShare()
      .execute()
    return new Map(rows.map(({ id, generation }) => [id, generation]))
  }

  /** The chunks of `from` once more, for a document with the same bytes. Returns how many; none when that version is gone. */
  async copyChunks(
    from: Pick<DocumentRow, 'id' | 'generation'>,
    to: Pick<DocumentRow, 'id' | 'space_id' | 'generation'>,
  ): Promise<number> {
    const { numAffectedRows } = await sql`
      insert into chunks (id, space_id, document_id, generation, index, text, title_path, page, start, "end", text_hash, language, time_start, time_end)
      select gen_random_uuid(), c.space_id, ${to.id}, ${to.generation}::int, c.index, c.text, c.title_path, c.page, c.start, c."end", c.text_hash, c.language,
        c.time_start, c.time_end
      from chunks c where c.document_id = ${from.id} and c.generation = ${from.generation} and c.space_id = ${to.space_id}
      order by c.index`.execute(this.#db)
    return Number(numAffectedRows ?? 0)
  }

  /** Erases the chunks of the versions before. Returns the hashes of the erased texts. */
  async deleteOlderChunks(documents: readonly Pick<DocumentRow, 'id' | 'generation'>[]): Promise<string[]> {
    if (documents.length === 0) return []
    const { rows } = await sql<{ text_hash: string }>`
      with gone as (
        delete from chunks c using jsonb_to_recordset(${JSON.stringify(documents.map(({ id, generation }) => ({ id, generation })))}::jsonb)
          as d (id uuid, generation int)
        where c.document_id = d.id and c.generation < d.generation returning c.text_hash
      )
      select distinct text_hash from gone`.execute(this.#db)
    return rows.map(({ text_hash }) => text_hash)
  }
}
