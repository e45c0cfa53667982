import { type Kysely, sql } from 'kysely'

/** Documents that came as files of OpenAI's protocol: what they are for, and until when they are kept. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table documents add column purpose text, add column expires_at timestamptz`.execute(db)
  await sql`create index documents_expires_at on documents (expires_at) where expires_at is not null and deleted_at is null`.execute(
    db,
  )
}
