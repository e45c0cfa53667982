import { type Kysely, sql } from 'kysely'
import { addDeletion, addHiding, createReceipts } from '../../../deletion/deletable-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await addDeletion(db, 'sessions')
  await addHiding(db, 'runs')
  // A session that is deleted does not keep its name from others.
  await sql`alter table sessions drop constraint sessions_external_id`.execute(db)
  await sql`create unique index sessions_external_id on sessions (user_id, external_id) where deleted_at is null`.execute(db)
  await sql`create index sessions_deleted on sessions (user_id, external_id) where deleted_at is not null`.execute(db)
  await createReceipts(db)
}
