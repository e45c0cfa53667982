import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Insertable, type Kysely, sql } from 'kysely'

type NewPreview = Omit<Insertable<IngestionTables['previews']>, 'created_at'>

/** Pages of files that were drawn, for those who open them again; erased with the file. */
export class PreviewRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  get(spaceId: string, blobId: string, page: number): Promise<{ sealed: Buffer; pages: number } | undefined> {
    const found = this.#db.selectFrom('previews').select(['sealed', 'pages']).where('space_id', '=', spaceId)
    return found.where('blob_id', '=', blobId).where('page', '=', page).executeTakeFirst()
  }

  /** Keeps the newest of the space. Of a file that is erased meanwhile nothing is kept. */
  async put({ blob_id, page, space_id, pages, sealed }: NewPreview, most: number): Promise<void> {
    await sql`insert into previews (blob_id, page, space_id, pages, sealed)
      select id, ${page}::int, space_id, ${pages}::int, ${sealed} from blobs where id = ${blob_id} and space_id = ${space_id} for key share
      on conflict do nothing`.execute(this.#db)
    await sql`delete from previews where space_id = ${space_id} and (created_at, blob_id, page) <= (
      select created_at, blob_id, page from previews where space_id = ${space_id}
      order by created_at desc, blob_id desc, page desc offset ${most} limit 1)`.execute(this.#db)
  }
}
