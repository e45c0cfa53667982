import type { BlobRow, IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

const expiry = sql<string>`now() + interval '24 hours'`

interface Appended {
  readonly blob_id: string
  readonly index: number
  readonly space_id: string
  readonly size: number
  readonly sealed: Buffer
}

/** Uploads that go on after a cut. */
export class ResumableRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** How many bytes a user announced for uploads that no run has taken. */
  async announced(userId: string): Promise<number> {
    const { bytes } = await this.#db
      .selectFrom('blobs')
      .select(sql<string>`coalesce(sum(coalesce(size, declared_size, 0)), 0)`.as('bytes'))
      .where('user_id', '=', userId)
      .where('used_at', 'is', null)
      .executeTakeFirstOrThrow()
    return Number(bytes)
  }

  /** From now on. */
  async keep(id: string, spaceId: string): Promise<BlobRow> {
    const blob = this.#db.updateTable('blobs').set({ expires_at: expiry }).where('id', '=', id).where('space_id', '=', spaceId)
    return blob.returningAll().executeTakeFirstOrThrow()
  }

  /** The last part, which may not be full. */
  lastPart(blobId: string, spaceId: string): Promise<{ index: number; size: number } | undefined> {
    const parts = this.#db.selectFrom('blob_pieces').select(['index', 'size']).where('blob_id', '=', blobId)
    return parts.where('space_id', '=', spaceId).orderBy('index', 'desc').limit(1).executeTakeFirst()
  }

  /** The last part, or the one behind it. */
  async putLast(part: Appended): Promise<void> {
    const { size, sealed } = part
    await this.#db
      .insertInto('blob_pieces')
      .values(part)
      .onConflict((conflict) => conflict.columns(['blob_id', 'index']).doUpdateSet({ size, sealed }))
      .execute()
  }
}
