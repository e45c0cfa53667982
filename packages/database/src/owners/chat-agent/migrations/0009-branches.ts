import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

/** What is there already is branch 0. Adding columns with a constant rewrites no row. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sessions add column branch integer, add column branch_id uuid`.execute(db)
  await sql`alter table runs add column branch integer not null default 0`.execute(db)
  await sql`alter table messages add column branch integer not null default 0`.execute(db)
  await sql`create table branches (
    session_id uuid not null references sessions on delete cascade,
    number integer not null check (number > from_branch),
    space_id uuid not null,
    id uuid not null,
    from_branch integer not null check (from_branch >= 0),
    before_turn integer not null,
    before_position bigint not null,
    created_at timestamptz not null default now(),
    primary key (session_id, number)
  )`.execute(db)
  await tenantTable(db, 'branches')
}
