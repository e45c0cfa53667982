import type { AnalyticsTables, DocumentRow, HidingTimes, IngestionRunRow } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'
import { latest } from './latest.ts'

type Ingested = Omit<DocumentRow, 'deleted_at' | keyof HidingTimes> & { readonly ingested_at: string; readonly event_id: string }

/** Writes are idempotent and may run in any order: of several events of one kind the latest wins. */
export class DocumentFactRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  async runFinished(run: IngestionRunRow): Promise<void> {
    const { run_id: _id, ...values } = run
    await this.#db
      .insertInto('ingestion_runs')
      .values(run)
      .onConflict((conflict) =>
        conflict
          .column('run_id')
          .doUpdateSet(values)
          .where(sql<boolean>`(excluded.finished_at, excluded.event_id) > (ingestion_runs.finished_at, ingestion_runs.event_id)`),
      )
      .execute()
  }

  /** Deletes all facts of a user. What they brought to a group is the group's and stays, without them. */
  async forget(spaceId: string): Promise<void> {
    await this.#db
      .updateTable('documents')
      .set({ space_id: sql<string>`group_id` })
      .where('space_id', '=', spaceId)
      .where('group_id', 'is not', null)
      .execute()
    for (const table of ['documents', 'ingestion_runs'] as const) {
      await this.#db.deleteFrom(table).where('space_id', '=', spaceId).execute()
    }
  }

  async documentIngested(document: Ingested): Promise<void> {
    const { document_id: _id, ...values } = document
    await this.#db
      .insertInto('documents')
      .values(document)
      .onConflict((conflict) =>
        conflict
          .column('document_id')
          .doUpdateSet(values)
          .where(
            sql<boolean>`documents.event_id is null
              or (excluded.ingested_at, excluded.event_id) > (documents.ingested_at, documents.event_id)`,
          ),
      )
      .execute()
  }

  /** `space_id` is only used until the ingestion event has the owner: in a group another member may delete the document. */
  async documentDeleted(document: Pick<DocumentRow, 'document_id' | 'space_id'> & { deleted_at: string }): Promise<void> {
    await this.#db
      .insertInto('documents')
      .values(document)
      .onConflict((conflict) =>
        conflict.column('document_id').doUpdateSet({ deleted_at: sql`least(documents.deleted_at, excluded.deleted_at)` }),
      )
      .execute()
  }

  /** It was deleted and may come back, or did. */
  async documentChanged(
    document: Pick<DocumentRow, 'document_id' | 'space_id'>,
    change: { readonly hidden_at: string } | { readonly shown_at: string },
  ): Promise<void> {
    await this.#db
      .insertInto('documents')
      .values({ ...document, ...change })
      .onConflict((conflict) => conflict.column('document_id').doUpdateSet(latest('documents', change)))
      .execute()
  }
}
