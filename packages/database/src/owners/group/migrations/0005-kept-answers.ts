import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table groups add column cache_answers boolean not null default false`.execute(db)
}
