import type { FilePurpose } from '@youworker/contracts/documents/stored-files'
import { type DocumentRow, type IngestionTables, NOT_READ } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'
import type { NewVersion } from '../version-repository.ts'
import { pageClauses, pageOfRows, type PageStart, type RowPosition } from './row-page.ts'

export type FileRow = Pick<DocumentRow, 'id' | 'path' | 'bytes_size' | 'purpose' | 'created_at' | 'expires_at'>

interface NewFile extends Omit<NewVersion, 'pipeline' | 'chunk_count'> {
  readonly purpose: FilePurpose
  /** In seconds. */
  readonly expires_after: number | undefined
}

const isKept = sql<boolean>`(documents.expires_at is null or documents.expires_at > now())`

/** Documents as files of OpenAI's protocol. */
export class FileRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async add({ expires_after, ...file }: NewFile): Promise<void> {
    const expires_at = expires_after === undefined ? null : sql<string>`now() + make_interval(secs => ${expires_after}::integer)`
    const document = { ...file, expires_at, pipeline: NOT_READ, chunk_count: 0, generation: 1 }
    await this.#db.insertInto('documents').values(document).execute()
  }

  get(id: string): Promise<FileRow | undefined> {
    const row = this.#db.selectFrom('documents').select(['id', 'path', 'bytes_size', 'purpose', 'created_at', 'expires_at'])
    return row.where('id', '=', id).where(isKept).executeTakeFirst()
  }

  position(id: string): Promise<RowPosition | undefined> {
    return this.#db.selectFrom('documents').select(['id', 'created_at']).where('id', '=', id).executeTakeFirst()
  }

  /** Of the spaces. The first of each are found by the index, however long the lists are. */
  async list(
    spaceIds: readonly string[],
    page: PageStart & { readonly purpose: FilePurpose | undefined; readonly usual: FilePurpose },
  ): Promise<{ rows: FileRow[]; has_more: boolean }> {
    const { purpose, usual } = page
    const isFor = purpose === undefined ? sql`true` : sql`coalesce(documents.purpose, ${usual}) = ${purpose}`
    const { where, orderBy } = pageClauses({ time: 'documents.created_at', id: 'documents.id' }, page)
    const { rows } = await sql<FileRow>`
      select documents.* from unnest(${[...spaceIds]}::uuid[]) as space (id) cross join lateral (
        select id, path, bytes_size, purpose, created_at, expires_at from documents
        where documents.space_id = space.id and documents.deleted_at is null and ${isKept} and ${isFor} and ${where} ${orderBy}
      ) as documents ${orderBy}`.execute(this.#db)
    return pageOfRows(rows, page)
  }

  /** Those whose time is over. For the system scope. */
  expired(limit: number): Promise<Pick<DocumentRow, 'id' | 'space_id'>[]> {
    const due = this.#db.selectFrom('documents').select(['id', 'space_id']).where('deleted_at', 'is', null)
    return due
      .where('expires_at', '<=', sql<string>`now()`)
      .orderBy('expires_at')
      .limit(limit)
      .execute()
  }

  /** Once its time is over and it is deleted; if somebody brings it back, it stays. */
  async forgetExpiry(id: string): Promise<void> {
    await this.#db.updateTable('documents').set({ expires_at: null }).where('id', '=', id).execute()
  }
}
