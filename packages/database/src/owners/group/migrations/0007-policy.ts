import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table groups add column document_changes text not null default 'owners_and_admins'
    check (document_changes in ('owners_and_admins', 'admins', 'members'))`.execute(db)
}
