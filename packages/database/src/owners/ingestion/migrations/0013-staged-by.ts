import { type Kysely, sql } from 'kysely'

/** What is staged of a file is of one pipeline, and an upload is in use as long as parts of it arrive. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table run_files add column pipeline text`.execute(db)
  await sql`alter table blob_pieces add column stored_at timestamptz not null default now()`.execute(db)
}
