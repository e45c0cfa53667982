import { type Kysely, sql } from 'kysely'

/** Nullable: entries of acts that nobody asked for, and from before, have neither. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table audit_entries add column address text, add column user_agent text`.execute(db)
}
