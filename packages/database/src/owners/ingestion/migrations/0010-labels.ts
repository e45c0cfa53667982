import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

/** Tags and collections as rows of a space, made of those that documents have. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['tags', 'collections']) {
    await sql`create table ${sql.table(table)} (
      id uuid primary key default gen_random_uuid(),
      space_id uuid not null,
      name text not null,
      created_at timestamptz not null default now(),
      constraint ${sql.id(`${table}_name`)} unique (space_id, name)
    )`.execute(db)
    await sql`create index ${sql.id(`${table}_list`)} on ${sql.table(table)} (space_id, created_at, id)`.execute(db)
    await tenantTable(db, table)
  }
  // The domain half of a job of kind `labels`, which has its id: jobs hold no text.
  await sql`create table label_changes (
    id uuid primary key,
    space_id uuid not null,
    kind text not null check (kind in ('tag', 'collection')),
    old_name text not null,
    new_name text
  )`.execute(db)
  await tenantTable(db, 'label_changes')
  await sql`insert into tags (space_id, name) select distinct space_id, unnest(tags) from documents`.execute(db)
  await sql`insert into collections (space_id, name) select distinct space_id, collection from documents
    where collection is not null`.execute(db)
}
