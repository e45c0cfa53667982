import { EXAMPLES } from '@youworker/contracts/documents/search'
import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'

/** What is read of every chunk that may be a hit. */
export interface ChunkRef {
  readonly chunk_id: string
  readonly document_id: string
  readonly space_id: string
  readonly generation: number
  readonly index: number
  readonly language: string | null
  /** The same for chunks with the same text. */
  readonly text_key: string
}

/** What is read of those that are shown. */
export interface ChunkHit extends ChunkRef {
  readonly title: string
  readonly uri: string
  readonly page: number | null
  readonly time_start: number | null
  readonly time_end: number | null
  readonly title_path: string[]
  readonly start: number
  readonly end: number
  readonly text: string
}

export interface ContextChunk {
  readonly chunk_id: string
  readonly document_id: string
  readonly index: number
  readonly text: string
}

export interface SearchFilter {
  readonly tags?: readonly string[] | undefined
  readonly collection?: string | undefined
  /** Only of these collections. */
  readonly parts?: readonly { readonly name: string }[] | undefined
  /** A type, or a kind as in `image/*`. */
  readonly mime?: string | undefined
  readonly document_ids?: readonly string[] | undefined
  readonly ingested_after?: string | undefined
  readonly ingested_before?: string | undefined
}

/** Postgres text holds no NUL, so nothing can match one. */
const askable = (text: string): string => text.replaceAll('\0', '\u{FFFD}')

/** What search reads of documents and chunks. */
export class SearchRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** Documents of a space that pass the filter. */
  async documentsWith(spaceId: string, filter: SearchFilter, limit: number): Promise<string[]> {
    const ofSpace = this.#db.selectFrom('documents').select('documents.id').where('documents.space_id', '=', spaceId)
    const rows = await passing(ofSpace, filter).limit(limit).execute()
    return rows.map(({ id }) => id)
  }

  /** Those of the given chunks that are part of a document's current version in the spaces and pass the filter. */
  refs(spaceIds: readonly string[], chunkIds: readonly string[], filter: SearchFilter): Promise<ChunkRef[]> {
    return chunkIds.length === 0 ? Promise.resolve([]) : this.#current(spaceIds, chunkIds, filter).execute()
  }

  /** The same with all that is shown of a hit. */
  hits(spaceIds: readonly string[], chunkIds: readonly string[], filter: SearchFilter): Promise<ChunkHit[]> {
    if (chunkIds.length === 0) return Promise.resolve([])
    return this.#current(spaceIds, chunkIds, filter)
      .select(['chunks.start', 'chunks.end', 'chunks.time_start', 'chunks.time_end'])
      .select(['chunks.page', 'chunks.title_path', 'chunks.text', 'documents.title', 'documents.uri'])
      .execute()
  }

  #current(spaceIds: readonly string[], chunkIds: readonly string[], filter: SearchFilter) {
    const passed = passing(this.#db.selectFrom('documents'), filter)
    return (filter.collection === undefined ? passed.where(isNoExampleAmongOthers(spaceIds)) : passed)
      .innerJoin('chunks', (join) =>
        join.onRef('chunks.document_id', '=', 'documents.id').onRef('chunks.generation', '=', 'documents.generation'),
      )
      .select(['chunks.id as chunk_id', 'chunks.document_id', 'chunks.space_id', 'chunks.generation', 'chunks.index'])
      .select(['chunks.language', sql<string>`hashtextextended(chunks.text, 0)::text`.as('text_key')])
      .where(sql<boolean>`chunks.id = any(${[...chunkIds]}::uuid[])`)
      .where(sql<boolean>`chunks.space_id = any(${[...spaceIds]}::uuid[])`)
  }

  /** The chunks around the given ones, up to `distance` before and behind, in their order. */
  async around(
    spaceIds: readonly string[],
    chunks: readonly Pick<ChunkHit, 'document_id' | 'generation' | 'index'>[],
    distance: number,
  ): Promise<ContextChunk[]> {
    const { rows } = await sql<ContextChunk>`
      select distinct c.id as chunk_id, c.document_id, c.index, c.text
      from unnest(
        ${chunks.map(({ document_id }) => document_id)}::uuid[],
        ${chunks.map(({ generation }) => generation)}::integer[],
        ${chunks.map(({ index }) => index)}::integer[]
      ) as hit (document_id, generation, index)
      join chunks c on c.document_id = hit.document_id and c.generation = hit.generation
        and c.index between hit.index - ${distance} and hit.index + ${distance}
      where c.space_id = any(${[...spaceIds]}::uuid[])
      order by c.document_id, c.index`.execute(this.#db)
    return rows
  }
}

type DocumentQuery<O> = SelectQueryBuilder<IngestionTables, 'documents', O>

function passing<O>(query: DocumentQuery<O>, filter: SearchFilter): DocumentQuery<O> {
  const { tags, collection, parts, mime, document_ids, ingested_after, ingested_before } = filter
  let result = query
  if (tags !== undefined && tags.length > 0) result = result.where(sql<boolean>`documents.tags && ${tags.map(askable)}::text[]`)
  if (collection !== undefined) result = result.where('documents.collection', '=', askable(collection))
  if (parts !== undefined)
    result = result.where(
      'documents.collection',
      'in',
      parts.map(({ name }) => name),
    )
  if (mime?.endsWith('/*') === true)
    result = result.where(sql<boolean>`starts_with(documents.mime, ${askable(mime.slice(0, -1))})`)
  else if (mime !== undefined) result = result.where('documents.mime', '=', askable(mime))
  if (document_ids !== undefined) result = result.where(sql<boolean>`documents.id = any(${[...document_ids]}::uuid[])`)
  if (ingested_after !== undefined) result = result.where('documents.last_ingested_at', '>=', ingested_after)
  if (ingested_before !== undefined) result = result.where('documents.last_ingested_at', '<', ingested_before)
  return result
}

const isOther = (table: string) => sql<boolean>`${sql.ref(`${table}.collection`)} is distinct from ${EXAMPLES}`
const isNoExampleAmongOthers = (spaceIds: readonly string[]) =>
  sql<boolean>`(${isOther('documents')} or not exists (
    select from documents as others where others.space_id = any(${spaceIds}::uuid[]) and ${isOther('others')}))`
