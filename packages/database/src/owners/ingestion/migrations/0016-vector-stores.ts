import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

/** Collections as vector stores of OpenAI's protocol: what is told of them, their files beside those that have their label, and batches. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table collections
    add column facts bytea,
    add column expires_after integer,
    add column last_active_at timestamptz`.execute(db)
  await sql`create table store_files (
    collection_id uuid not null references collections (id) on delete cascade,
    document_id uuid not null references documents (id) on delete cascade,
    space_id uuid not null,
    user_id uuid not null,
    run_id uuid,
    run_index integer,
    refused text,
    attributes bytea,
    created_at timestamptz not null default now(),
    primary key (collection_id, document_id)
  )`.execute(db)
  await sql`create index store_files_list on store_files (collection_id, created_at, document_id)`.execute(db)
  await sql`create index store_files_document_id on store_files (document_id)`.execute(db)
  await sql`create index store_files_space_id on store_files (space_id)`.execute(db)
  await sql`create table file_batches (
    id uuid primary key,
    collection_id uuid not null references collections (id) on delete cascade,
    space_id uuid not null,
    user_id uuid not null,
    run_ids uuid[] not null,
    created_at timestamptz not null default now(),
    cancelled_at timestamptz
  )`.execute(db)
  await sql`create index file_batches_collection_id on file_batches (collection_id)`.execute(db)
  await sql`create index file_batches_space_id on file_batches (space_id)`.execute(db)
  await sql`create table batch_files (
    batch_id uuid not null references file_batches (id) on delete cascade,
    document_id uuid not null references documents (id) on delete cascade,
    space_id uuid not null,
    primary key (batch_id, document_id)
  )`.execute(db)
  await sql`create index batch_files_document_id on batch_files (document_id)`.execute(db)
  await sql`create index batch_files_space_id on batch_files (space_id)`.execute(db)
  for (const table of ['store_files', 'file_batches', 'batch_files']) await tenantTable(db, table)
  await sql`create index documents_collection on documents (space_id, collection, created_at, id)
    where collection is not null and deleted_at is null`.execute(db)
}
