import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

const parts = sql`unnest(string_to_array(nullif(current_setting('app.parts', true), ''), ',')) as part`
const isWhole = sql`(select coalesce(current_setting('app.parts', true), '') = '')
  or space_id not in (select split_part(part, '/', 1)::uuid from ${parts})`
const partIds = sql`(select split_part(part, '/', 2)::uuid from ${parts})`

/** Collections are seen by users outside their space, who see nothing else of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table collection_grants (
    collection_id uuid not null references collections (id) on delete cascade,
    space_id uuid not null,
    user_id uuid not null,
    group_id uuid,
    name text not null,
    role text not null check (role in ('reader', 'writer')),
    created_at timestamptz not null default now(),
    paused_at timestamptz,
    primary key (collection_id, user_id)
  )`.execute(db)
  await sql`create index collection_grants_of_user on collection_grants (user_id)`.execute(db)
  await sql`create index collection_grants_space_id on collection_grants (space_id)`.execute(db)
  await tenantTable(db, 'collection_grants')
  // Who was let in sees it, too.
  await sql`create policy collection_grants_own on collection_grants for select using (user_id in (
    select unnest(string_to_array(nullif(current_setting('app.spaces', true), '*'), ',')::uuid[])))`.execute(db)
  // A run notes the collection of its documents, which is there already: Postgres checks also rows that conflict.
  await sql`create policy collections_parts on collections as restrictive
    using (${isWhole} or id in ${partIds}) with check (true)`.execute(db)
  await sql`create policy documents_parts on documents as restrictive
    using (${isWhole} or (space_id, collection) in (select space_id, name from collections where id in ${partIds}))`.execute(db)
  await sql`create index documents_of_collection on documents (space_id, collection, created_at, id)`.execute(db)
  await sql`alter table runs add column collection_id uuid`.execute(db)
}
