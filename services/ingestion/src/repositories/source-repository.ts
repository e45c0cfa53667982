import type { IngestionTables, SourcePageRow, SourceRow } from '@youworker/database/owners/ingestion/tables'
import type { Kysely } from 'kysely'

export type NewPage = Pick<SourcePageRow, 'target' | 'depth'>

/** What runs fetch themselves, and how far they are. */
export class SourceRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async add(source: SourceRow): Promise<void> {
    await this.#db.insertInto('run_sources').values(source).execute()
  }

  get(runId: string, spaceId: string): Promise<SourceRow | undefined> {
    return this.#db
      .selectFrom('run_sources')
      .selectAll()
      .where('run_id', '=', runId)
      .where('space_id', '=', spaceId)
      .executeTakeFirst()
  }

  /** In the order in which they were found. */
  pages(runId: string, spaceId: string): Promise<SourcePageRow[]> {
    const pages = this.#db.selectFrom('source_pages').selectAll().where('run_id', '=', runId).where('space_id', '=', spaceId)
    return pages.orderBy('n').execute()
  }

  /** `from`: how many there are already. */
  async addPages(run: Pick<SourceRow, 'run_id' | 'space_id'>, from: number, pages: readonly NewPage[]): Promise<void> {
    if (pages.length === 0) return
    const { run_id, space_id } = run
    const rows = pages.map((page, at) => ({ run_id, space_id, n: from + at, ...page }))
    await this.#db.insertInto('source_pages').values(rows).execute()
  }

  async closePage(runId: string, spaceId: string, n: number): Promise<void> {
    const page = this.#db.updateTable('source_pages').set({ is_done: true }).where('run_id', '=', runId)
    await page.where('space_id', '=', spaceId).where('n', '=', n).execute()
  }

  /** Its files are stored, so they need not be found again. */
  async deletePages(runId: string, spaceId: string): Promise<void> {
    await this.#db.deleteFrom('source_pages').where('run_id', '=', runId).where('space_id', '=', spaceId).execute()
  }
}
