import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

/** What a file has reached survives its worker: its chunks wait in `staged_chunks` until they are those of a document. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table run_files
    add column checkpoint text,
    add column title text,
    add column sha256 text,
    add column timeline jsonb not null default '[]'`.execute(db)
  await sql`alter table runs add column waits integer not null default 0`.execute(db)
  await sql`create table staged_chunks (
    run_id uuid not null,
    file_index integer not null,
    index integer not null,
    id uuid not null,
    space_id uuid not null,
    text text not null,
    title_path text[] not null,
    page integer,
    start integer not null,
    "end" integer not null,
    text_hash text not null,
    language text,
    primary key (run_id, file_index, index),
    foreign key (run_id, file_index) references run_files (run_id, index) on delete cascade
  )`.execute(db)
  await sql`create index staged_chunks_space_id on staged_chunks (space_id)`.execute(db)
  await sql`create table document_timelines (
    document_id uuid not null references documents (id) on delete cascade,
    run_id uuid not null,
    file_index integer not null,
    space_id uuid not null,
    entries jsonb not null,
    created_at timestamptz not null default now(),
    primary key (document_id, run_id, file_index)
  )`.execute(db)
  // For the same bytes under another path.
  await sql`create index documents_content on documents (space_id, sha256)`.execute(db)
  for (const table of ['staged_chunks', 'document_timelines']) await tenantTable(db, table)
}
