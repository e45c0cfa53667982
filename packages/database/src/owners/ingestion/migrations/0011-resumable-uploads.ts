import { type Kysely, sql } from 'kysely'

/** An upload that goes on after a cut is kept longer than others, from its last byte on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table blobs add column expires_at timestamptz`.execute(db)
}
