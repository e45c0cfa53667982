import type { BlobRow, IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

interface NewBlob {
  readonly id: string
  readonly space_id: string
  readonly user_id: string
  readonly name: string
  readonly declared_size: number | null
}

interface NewPart {
  readonly blob_id: string
  readonly index: number
  readonly space_id: string
  readonly size: number
  readonly sealed: Buffer
}

/** Nobody has sent a byte for an hour: those of one request wait for its last file, a long one for its last part. Kept for a day at most. */
const isLeft = sql<boolean>`case when b.expires_at is not null then b.expires_at < now() else
  coalesce(b.finished_at, b.created_at) < now() - interval '1 hour' and (b.created_at < now() - interval '1 day' or not exists (
    select from blobs other where other.user_id = b.user_id and other.used_at is null and (
      coalesce(other.finished_at, other.created_at) > now() - interval '1 hour' or exists (
        select from blob_pieces part where part.blob_id = other.id and part.stored_at > now() - interval '1 hour'))))
  end`

export class BlobRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async add(blob: NewBlob): Promise<void> {
    await this.#db.insertInto('blobs').values(blob).execute()
  }

  /** With its only part to follow in the same transaction. */
  async addWhole(blob: NewBlob & Pick<BlobRow, 'size' | 'pieces' | 'sha256'>): Promise<void> {
    await this.#db
      .insertInto('blobs')
      .values({ ...blob, finished_at: sql<string>`now()` })
      .execute()
  }

  /** Uploads of a user that no run has taken yet. */
  async countUnused(userId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('blobs')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('user_id', '=', userId)
      .where('used_at', 'is', null)
      .executeTakeFirstOrThrow()
    return Number(count)
  }

  get(id: string): Promise<BlobRow | undefined> {
    return this.#db.selectFrom('blobs').selectAll().where('id', '=', id).executeTakeFirst()
  }

  getAll(ids: readonly string[]): Promise<BlobRow[]> {
    return this.#db.selectFrom('blobs').selectAll().where('id', 'in', ids).execute()
  }

  /** The caller's own upload, locked: `share` lets parts arrive at the same time, `update` is for finishing and for starting a run. */
  lockOwn(id: string, userId: string, lock: 'share' | 'update'): Promise<BlobRow | undefined> {
    const query = this.#db.selectFrom('blobs').selectAll().where('id', '=', id).where('user_id', '=', userId)
    return (lock === 'share' ? query.forShare() : query.forUpdate()).executeTakeFirst()
  }

  /** Those of the caller's own uploads, locked in one order everywhere, so that two requests for the same ones cannot wait for each other. */
  lockAllOwn(ids: readonly string[], userId: string): Promise<BlobRow[]> {
    const query = this.#db.selectFrom('blobs').selectAll().where('id', 'in', ids).where('user_id', '=', userId)
    return query.orderBy('id').forUpdate().execute()
  }

  /** A blob that the user uploaded and no run has taken, or that is the file of a document in the scope's spaces. */
  readable(id: string, userId: string): Promise<BlobRow | undefined> {
    return this.#db
      .selectFrom('blobs')
      .selectAll()
      .where('id', '=', id)
      .where((eb) =>
        eb.or([
          eb.and([eb('user_id', '=', userId), eb('used_at', 'is', null)]),
          eb.exists(eb.selectFrom('documents').select('documents.id').whereRef('documents.blob_id', '=', 'blobs.id')),
        ]),
      )
      .executeTakeFirst()
  }

  /** Writing a part again changes nothing. Returns whether it was written. */
  async putPart(part: NewPart): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('blob_pieces')
      .values(part)
      .onConflict((conflict) => conflict.columns(['blob_id', 'index']).doNothing())
      .executeTakeFirstOrThrow()
    return numInsertedOrUpdatedRows === 1n
  }

  partSizes(blobId: string): Promise<{ index: number; size: number }[]> {
    return this.#db.selectFrom('blob_pieces').select(['index', 'size']).where('blob_id', '=', blobId).orderBy('index').execute()
  }

  async part(blobId: string, index: number): Promise<Buffer | undefined> {
    const row = await this.#db
      .selectFrom('blob_pieces')
      .select('sealed')
      .where('blob_id', '=', blobId)
      .where('index', '=', index)
      .executeTakeFirst()
    return row?.sealed
  }

  /** The first part of each, by blob. */
  async firstParts(blobIds: readonly string[]): Promise<Map<string, Buffer>> {
    const rows = await this.#db
      .selectFrom('blob_pieces')
      .select(['blob_id', 'sealed'])
      .where(sql<boolean>`blob_id = any(${[...blobIds]}::uuid[])`)
      .where('index', '=', 0)
      .execute()
    return new Map(rows.map(({ blob_id, sealed }) => [blob_id, sealed]))
  }

  async finish(id: string, facts: { size: number; pieces: number; sha256: string }): Promise<void> {
    await this.#db
      .updateTable('blobs')
      .set({ ...facts, finished_at: sql<string>`now()` })
      .where('id', '=', id)
      .execute()
  }

  async markUsed(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#db
      .updateTable('blobs')
      .set({ used_at: sql<string>`now()` })
      .where('id', 'in', ids)
      .execute()
  }

  async delete(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#db.deleteFrom('blobs').where('id', 'in', ids).execute()
  }

  async deleteSpace(spaceId: string): Promise<void> {
    await this.#db.deleteFrom('blobs').where('space_id', '=', spaceId).execute()
  }

  /** Erases a user's uploads that no document has, in whichever space. */
  async deleteUnused(userId: string): Promise<void> {
    await this.#db
      .deleteFrom('blobs')
      .where('user_id', '=', userId)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('documents').select('documents.id').whereRef('documents.blob_id', '=', 'blobs.id'))),
      )
      .execute()
  }

  /**
   * Erases up to `limit` files that nothing needs: not used within an hour since their user sent anything, or within a day; or left by a run
   * that is a week old or deleted. Returns how many.
   */
  async sweep(limit: number): Promise<number> {
    const idle = await this.#db
      .selectFrom('blobs as b')
      .select('b.id')
      .where(({ eb, not, exists, selectFrom, and, or }) => {
        const files = selectFrom('run_files as f').select('f.index').whereRef('f.blob_id', '=', 'b.id')
        const active = files.innerJoin('jobs as j', 'j.id', 'f.run_id').where('j.status', 'in', ['pending', 'running'])
        const hourAgo = sql<string>`now() - interval '1 hour'`
        return and([
          not(exists(selectFrom('documents as d').select('d.id').whereRef('d.blob_id', '=', 'b.id'))),
          or([
            and([eb('b.used_at', 'is', null), isLeft]),
            and([eb('b.used_at', '<', hourAgo), not(exists(files))]),
            and([eb('b.used_at', '<', sql<string>`now() - interval '7 days'`), not(exists(active))]),
          ]),
        ])
      })
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .execute()
    await this.delete(idle.map(({ id }) => id))
    return idle.length
  }
}
