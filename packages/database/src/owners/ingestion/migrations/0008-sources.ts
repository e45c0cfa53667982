import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

/** Runs that fetch their files themselves, and how far they are: another worker goes on behind what is stored. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table run_sources (
    run_id uuid primary key references runs (id) on delete cascade,
    space_id uuid not null,
    source text not null check (source in ('path', 'web')),
    target text not null,
    recursive boolean not null,
    max_depth integer not null,
    max_pages integer not null
  )`.execute(db)
  await sql`create index run_sources_space_id on run_sources (space_id)`.execute(db)
  await sql`create table source_pages (
    run_id uuid not null references run_sources (run_id) on delete cascade,
    n integer not null,
    space_id uuid not null,
    target text not null,
    depth integer not null,
    is_done boolean not null default false,
    primary key (run_id, n)
  )`.execute(db)
  for (const table of ['run_sources', 'source_pages']) await tenantTable(db, table)
}
