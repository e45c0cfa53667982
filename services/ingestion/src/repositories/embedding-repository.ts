import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

interface EmbeddingRow {
  readonly text_hash: string
  readonly vector: Buffer
}

export class EmbeddingRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** Which of the texts have a vector of this model. */
  async known(spaceId: string, model: string, hashes: readonly string[]): Promise<Set<string>> {
    if (hashes.length === 0) return new Set()
    const rows = await this.#db
      .selectFrom('embeddings')
      .select('text_hash')
      .where('space_id', '=', spaceId)
      .where('model', '=', model)
      .where(sql<boolean>`text_hash = any(${hashes}::text[])`)
      .execute()
    return new Set(rows.map(({ text_hash }) => text_hash))
  }

  async add(spaceId: string, model: string, rows: readonly EmbeddingRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#db
      .insertInto('embeddings')
      .values(rows.map((row) => ({ ...row, space_id: spaceId, model })))
      .onConflict((conflict) => conflict.columns(['space_id', 'text_hash', 'model']).doNothing())
      .execute()
  }

  /** Vectors of all models, for a document that moves. */
  async copy(from: string, to: string, hashes: readonly string[]): Promise<void> {
    await sql`insert into embeddings (space_id, model, text_hash, vector)
      select ${to}, model, text_hash, vector from embeddings where space_id = ${from} and text_hash = any(${[...hashes]}::text[])
      on conflict do nothing`.execute(this.#db)
  }

  /** Erases the vectors of those texts that no chunk of the space has any more. Returns how many. */
  async deleteUnused(spaceId: string, hashes: readonly string[]): Promise<number> {
    if (hashes.length === 0) return 0
    const { numDeletedRows } = await this.#db
      .deleteFrom('embeddings')
      .where('space_id', '=', spaceId)
      .where(sql<boolean>`text_hash = any(${hashes}::text[])`)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('chunks')
              .select('chunks.id')
              .whereRef('chunks.space_id', '=', 'embeddings.space_id')
              .whereRef('chunks.text_hash', '=', 'embeddings.text_hash'),
          ),
        ),
      )
      .executeTakeFirstOrThrow()
    return Number(numDeletedRows)
  }

  async deleteSpace(spaceId: string): Promise<void> {
    await this.#db.deleteFrom('embeddings').where('space_id', '=', spaceId).execute()
  }
}
