import { type Kysely, sql } from 'kysely'
import { createSystemTables, tenantTable } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await createChatTables(db)
  await createDocumentTables(db)
  for (const table of ['sessions', 'messages', 'tool_runs', 'ingestion_runs', 'documents']) await tenantTable(db, table)
}

async function createChatTables(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table sessions (
      session_id uuid primary key,
      space_id uuid not null,
      model text,
      enable_tools boolean,
      created_at timestamptz,
      deleted_at timestamptz
    )`.execute(db)
  await sql`create index sessions_of_space on sessions (space_id, created_at)`.execute(db)
  await sql`
    create table messages (
      message_id uuid primary key,
      space_id uuid not null,
      session_id uuid not null,
      role text not null,
      model text,
      tokens_in bigint not null,
      tokens_out bigint not null,
      created_at timestamptz not null
    )`.execute(db)
  await sql`create index messages_of_space on messages (space_id, created_at)`.execute(db)
  await sql`
    create table tool_runs (
      tool_run_id uuid primary key,
      space_id uuid not null,
      tool_name text not null,
      status text not null,
      latency_ms bigint not null,
      finished_at timestamptz not null
    )`.execute(db)
  await sql`create index tool_runs_of_space on tool_runs (space_id, finished_at)`.execute(db)
}

async function createDocumentTables(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ingestion_runs (
      run_id uuid primary key,
      space_id uuid not null,
      status text not null,
      files bigint not null,
      chunks bigint not null,
      total_bytes bigint not null,
      duration_ms bigint not null,
      finished_at timestamptz not null,
      event_id uuid not null
    )`.execute(db)
  await sql`create index ingestion_runs_of_space on ingestion_runs (space_id, finished_at)`.execute(db)
  await sql`
    create table documents (
      document_id uuid primary key,
      space_id uuid not null,
      bytes_size bigint,
      chunks bigint,
      ingested_at timestamptz,
      event_id uuid,
      deleted_at timestamptz
    )`.execute(db)
  await sql`create index documents_of_space on documents (space_id) where deleted_at is null`.execute(db)
}
