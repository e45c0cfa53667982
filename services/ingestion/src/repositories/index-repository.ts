import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

export interface SpaceState {
  readonly space_id: string
  readonly epoch: string
  readonly seq: number
  /** Of its chunks, now or once. */
  readonly languages: string[]
  readonly erased_at: string | null
}

/** `generation` is `null` when the document is gone. */
export interface IndexChange {
  readonly document_id: string
  readonly seq: number
  readonly generation: number | null
  readonly chunk_count: number | null
}

export interface IndexableChunk {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
  readonly index: number
  readonly text: string
  readonly title: string
  readonly title_path: string[]
  readonly text_hash: string
  /** `null` when it was never told. */
  readonly language: string | null
  readonly vector: Buffer | null
}

/** The numbers by which index files follow Postgres. */
export class IndexRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** Of those of the spaces that had documents once and are not erased. */
  async inUse(spaceIds: readonly string[]): Promise<SpaceState[]> {
    const { rows } = await sql<SpaceState>`
      select * from space_indexes where space_id = any(${[...spaceIds]}::uuid[]) and erased_at is null`.execute(this.#db)
    return rows
  }

  async isErased(spaceId: string): Promise<boolean> {
    const erased = this.#db.selectFrom('space_indexes').select('space_id').where('space_id', '=', spaceId)
    return (await erased.where('erased_at', 'is not', null).executeTakeFirst()) !== undefined
  }

  /**
   * The next number of a space, or the last of the next `count` ones. Locks the space until the transaction ends, so numbers become visible in order and changes of one
   * space happen one after the other.
   */
  next(spaceId: string, count = 1): Promise<SpaceState> {
    return this.#db
      .insertInto('space_indexes')
      .values({ space_id: spaceId, seq: count, erased_at: null })
      .onConflict((conflict) => conflict.column('space_id').doUpdateSet({ seq: sql<number>`space_indexes.seq + ${count}::int` }))
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  /** Lets no change of the space be committed until the transaction ends. */
  async holdStill(spaceId: string): Promise<void> {
    await sql`select from space_indexes where space_id = ${spaceId} for share`.execute(this.#db)
  }

  async addLanguages(spaceId: string, languages: readonly string[]): Promise<void> {
    await sql`
      update space_indexes set languages = (
        select array_agg(distinct language) from unnest(languages || ${[...languages]}::text[]) as language
      ) where space_id = ${spaceId} and not languages @> ${[...languages]}::text[]`.execute(this.#db)
  }

  async record(spaceId: string, documentId: string, seq: number): Promise<void> {
    await this.recordAll(spaceId, [{ document_id: documentId, seq }])
  }

  /** Each document once, each with a number of its own. */
  async recordAll(spaceId: string, changes: readonly { readonly document_id: string; readonly seq: number }[]): Promise<void> {
    if (changes.length === 0) return
    await this.#db
      .insertInto('index_changes')
      .values(changes.map((change) => ({ ...change, space_id: spaceId })))
      .onConflict((conflict) =>
        conflict
          .columns(['space_id', 'document_id'])
          .doUpdateSet(({ ref }) => ({ seq: ref('excluded.seq'), changed_at: sql<string>`now()` })),
      )
      .execute()
  }

  changes(spaceId: string, afterSeq: number, limit: number): Promise<IndexChange[]> {
    return this.#db
      .selectFrom('index_changes')
      .leftJoin('documents', 'documents.id', 'index_changes.document_id')
      .select(['index_changes.document_id', 'index_changes.seq', 'documents.generation', 'documents.chunk_count'])
      .where('index_changes.space_id', '=', spaceId)
      .where('index_changes.seq', '>', afterSeq)
      .orderBy('index_changes.seq')
      .limit(limit)
      .execute()
  }

  /** All chunks of several short versions. */
  chunksOfAll(versions: readonly { document_id: string; generation: number }[], model: string): Promise<IndexableChunk[]> {
    const [ids, generations] = [versions.map(({ document_id }) => document_id), versions.map(({ generation }) => generation)]
    return this.#indexable(model)
      .where(sql<boolean>`(c.document_id, c.generation) in (select * from unnest(${ids}::uuid[], ${generations}::int[]))`)
      .orderBy('c.document_id')
      .orderBy('c.index')
      .execute()
  }

  #indexable(model: string) {
    return this.#db
      .selectFrom('chunks as c')
      .innerJoin('documents as d', 'd.id', 'c.document_id')
      .leftJoin('embeddings as e', (join) =>
        join.onRef('e.space_id', '=', 'c.space_id').onRef('e.text_hash', '=', 'c.text_hash').on('e.model', '=', model),
      )
      .select([
        'c.id as chunk_id',
        'c.document_id',
        'c.generation',
        'c.index',
        'c.text',
        'd.title',
        'c.title_path',
        'c.text_hash',
      ])
      .select(['c.language', 'e.vector'])
  }

  /** Chunks of one version from `index` on, with their vectors of `model` where there are any. */
  chunks(version: {
    document_id: string
    generation: number
    model: string
    from: number
    limit: number
  }): Promise<IndexableChunk[]> {
    const { document_id, generation, model, from, limit } = version
    return this.#indexable(model)
      .where('c.document_id', '=', document_id)
      .where('c.generation', '=', generation)
      .where('c.index', '>=', from)
      .orderBy('c.index')
      .limit(limit)
      .execute()
  }

  /** `languages`: by the id of the chunk. */
  async setLanguages(spaceId: string, languages: ReadonlyMap<string, string>): Promise<void> {
    await sql`
      update chunks c set language = told.language
      from unnest(${[...languages.keys()]}::uuid[], ${[...languages.values()]}::text[]) as told (id, language)
      where c.id = told.id and c.space_id = ${spaceId}`.execute(this.#db)
  }

  async markErased(spaceId: string): Promise<void> {
    await this.#db
      .updateTable('space_indexes')
      .set({ erased_at: sql<string>`now()` })
      .where('space_id', '=', spaceId)
      .execute()
    await this.#db.deleteFrom('index_changes').where('space_id', '=', spaceId).execute()
  }

  /** Forgets deletions so old that every index file has either seen them or is made anew. */
  async prune(): Promise<void> {
    await this.#db
      .deleteFrom('index_changes')
      .where('changed_at', '<', sql<string>`now() - interval '30 days'`)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('documents').select('documents.id').whereRef('documents.id', '=', 'index_changes.document_id'))),
      )
      .execute()
  }
}
