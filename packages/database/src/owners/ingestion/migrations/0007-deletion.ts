import { type Kysely, sql } from 'kysely'
import { addDeletion, createReceipts } from '../../../deletion/deletable-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await addDeletion(db, 'documents')
  // A document that is deleted does not keep its path from others.
  await sql`alter table documents drop constraint documents_path`.execute(db)
  await sql`create unique index documents_path on documents (space_id, path_hash) where deleted_at is null`.execute(db)
  await createReceipts(db)
}
