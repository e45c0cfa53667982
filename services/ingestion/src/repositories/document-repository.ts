import { spokenTime } from '@youworker/contracts/common'
import type { CollectionSum, DocumentChunk } from '@youworker/contracts/documents/documents'
import type { DocumentRow, IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, type SelectQueryBuilder, sql, type Updateable } from 'kysely'

export interface DocumentFilter {
  readonly collection?: string | undefined
  readonly tag?: string | undefined
  readonly group_id?: string | undefined
  readonly mime?: string | undefined
  readonly q?: string | undefined
  /** Of those that are deleted only what this user may restore, in a unit of work that sees them. */
  readonly restorable?: Restorers | undefined
}

interface Restorers {
  readonly user_id: string
  /** Spaces in which the user may restore what that user brought. */
  readonly own_in: readonly string[]
  /** Spaces in which the user may restore everything. */
  readonly all_in: readonly string[]
}

/** Postgres text holds no NUL, so nothing can match one. */
const askable = (text: string): string => text.replaceAll('\0', '\u{FFFD}')
const likePattern = (text: string): string => `%${askable(text).replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`

export class DocumentRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  get(id: string): Promise<DocumentRow | undefined> {
    return this.#db.selectFrom('documents').selectAll().where('id', '=', id).executeTakeFirst()
  }

  lock(id: string): Promise<DocumentRow | undefined> {
    return this.#db.selectFrom('documents').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  }

  /** One whose time to be restored is over. */
  lockExpired(id: string): Promise<DocumentRow | undefined> {
    const found = this.#db.selectFrom('documents').selectAll().where('id', '=', id)
    return found
      .where('erase_after', '<=', sql<string>`now()`)
      .forUpdate()
      .executeTakeFirst()
  }

  /** Those of the spaces with documents that are deleted. */
  async spacesWithDeleted(spaceIds: readonly string[], limit: number): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      select id from unnest(${[...spaceIds]}::uuid[]) as space (id) where exists (
        select from documents where space_id = space.id and deleted_at is not null) limit ${limit}`.execute(this.#db)
    return rows.map(({ id }) => id)
  }

  /** The one at the path that is not deleted. */
  getByPath(spaceId: string, pathHash: string): Promise<DocumentRow | undefined> {
    const present = this.#db.selectFrom('documents').selectAll().where('deleted_at', 'is', null)
    return present.where('space_id', '=', spaceId).where('path_hash', '=', pathHash).executeTakeFirst()
  }

  update(id: string, changes: Updateable<IngestionTables['documents']>): Promise<DocumentRow> {
    return this.#db.updateTable('documents').set(changes).where('id', '=', id).returningAll().executeTakeFirstOrThrow()
  }

  /** Makes the passages of a version those of the next one, with ids of their own; on demand in another space. */
  async renewChunks(
    { id, generation, space_id }: Pick<DocumentRow, 'id' | 'generation' | 'space_id'>,
    to = space_id,
  ): Promise<void> {
    await sql`update chunks set id = gen_random_uuid(), generation = generation + 1, space_id = ${to}
      where space_id = ${space_id} and document_id = ${id} and generation = ${generation}`.execute(this.#db)
    if (to !== space_id) await sql`update document_timelines set space_id = ${to} where document_id = ${id}`.execute(this.#db)
  }

  /** Passages of a version behind the one with the index `after`. */
  async chunks(
    { id, generation, space_id }: Pick<DocumentRow, 'id' | 'generation' | 'space_id'>,
    after: number,
    limit: number,
  ): Promise<DocumentChunk[]> {
    const ofVersion = this.#db
      .selectFrom('chunks')
      .select(['id', 'index', 'text', 'title_path', 'page', 'start', 'end', 'time_start', 'time_end'])
    const rows = await ofVersion
      .where('space_id', '=', space_id)
      .where('document_id', '=', id)
      .where('generation', '=', generation)
      .where('index', '>', after)
      .orderBy('index')
      .limit(limit)
      .execute()
    return rows.map(({ time_start, time_end, ...chunk }) => ({ ...chunk, ...spokenTime(time_start, time_end) }))
  }

  /** Returns the hashes of the erased texts. */
  async deleteChunks(documentId: string, belowGeneration: number): Promise<string[]> {
    const rows = await this.#db
      .deleteFrom('chunks')
      .where('document_id', '=', documentId)
      .where('generation', '<', belowGeneration)
      .returning('text_hash')
      .execute()
    return [...new Set(rows.map(({ text_hash }) => text_hash))]
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom('documents').where('id', '=', id).execute()
  }

  ofSpace(spaceId: string): Promise<Pick<DocumentRow, 'id' | 'user_id'>[]> {
    return this.#db.selectFrom('documents').select(['id', 'user_id']).where('space_id', '=', spaceId).execute()
  }

  async deleteSpace(spaceId: string): Promise<void> {
    await this.#db.deleteFrom('documents').where('space_id', '=', spaceId).execute()
  }

  /** Of what one user brought, or of one space; the largest first. */
  sumCollections(whose: { readonly user_id: string } | { readonly space_id: string }, limit: number): Promise<CollectionSum[]> {
    return this.#db
      .selectFrom('documents')
      .select(({ fn }) => ['collection', fn.countAll<number>().as('document_count')])
      .select(sql<number>`sum(bytes_size)::bigint`.as('total_bytes'))
      .where((eb) => eb.and(whose))
      .groupBy('collection')
      .orderBy('total_bytes', 'desc')
      .orderBy('collection')
      .limit(limit)
      .execute()
  }

  /**
   * Of the spaces and of collections of others. The newest of each are found by the index, so that long lists of others and of one's own
   * cost nothing.
   */
  async list(
    spaceIds: readonly string[],
    filter: DocumentFilter & ListPage,
    shared: readonly { readonly space_id: string; readonly name: string }[] = [],
  ): Promise<Listed<DocumentRow>> {
    const { limit, offset } = filter
    const columns = { time: 'documents.created_at', id: 'documents.id' }
    const ofEach = { ...filter, limit: offset + limit, offset: 0 }
    const sources = sql<{ id: string; name: string | null }>`unnest(
      ${[...spaceIds, ...shared.map(({ space_id }) => space_id)]}::uuid[],
      ${[...spaceIds.map(() => null), ...shared.map(({ name }) => name)]}::text[])`
    const matching = filtered(this.#db.selectFrom('documents').selectAll(), filter).where(
      sql<boolean>`documents.space_id = source.id and (source.name is null or documents.collection = source.name)`,
    )
    const inEach = (ofSource: typeof matching) =>
      this.#db
        .selectFrom(sources.as<'source'>(sql`source (id, name)`))
        .innerJoinLateral(ofSource.as('documents'), (join) => join.onTrue())
        .selectAll('documents')
    const [rows, counted] = await Promise.all([
      newestFirst(inEach(newestFirst(matching, columns, ofEach)), columns, filter).execute(),
      countSome(this.#db, (most) => inEach(matching.limit(most)).limit(most)),
    ])
    return listed({ rows, page: filter, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }
}

interface LabelFilter {
  readonly tags?: readonly string[] | undefined
  readonly collection?: string | undefined
}

type DocumentQuery<O> = SelectQueryBuilder<IngestionTables, 'documents', O>

function withLabels<O>(query: DocumentQuery<O>, { tags, collection }: LabelFilter): DocumentQuery<O> {
  let result = query
  if (tags !== undefined && tags.length > 0) result = result.where(sql<boolean>`documents.tags && ${tags.map(askable)}::text[]`)
  if (collection !== undefined) result = result.where('documents.collection', '=', askable(collection))
  return result
}

function filtered<O>(query: DocumentQuery<O>, filter: DocumentFilter): DocumentQuery<O> {
  const { tag, collection, group_id, mime, q, restorable } = filter
  let result = withLabels(query, { tags: tag === undefined ? undefined : [tag], collection })
  if (restorable !== undefined) {
    const { user_id, own_in, all_in } = restorable
    result = result.where(
      sql<boolean>`(documents.deleted_at is null or documents.space_id = any(${all_in}::uuid[])
        or (documents.user_id = ${user_id} and documents.space_id = any(${own_in}::uuid[])))`,
    )
  }
  if (group_id !== undefined) result = result.where('documents.group_id', '=', group_id)
  if (mime !== undefined) result = result.where('documents.mime', '=', askable(mime))
  if (q !== undefined && q !== '') {
    const pattern = likePattern(q)
    result = result.where((eb) => eb.or([eb('documents.title', 'ilike', pattern), eb('documents.path', 'ilike', pattern)]))
  }
  return result
}
