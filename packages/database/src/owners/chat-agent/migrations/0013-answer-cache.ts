import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table cached_answers (
    space_id uuid not null,
    key bytea not null,
    run_id uuid not null references runs on delete cascade,
    body bytea not null,
    knowledge integer[] not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (space_id, key)
  )`.execute(db)
  await sql`create index cached_answers_expires_at on cached_answers (expires_at)`.execute(db)
  await sql`create index cached_answers_of_run on cached_answers (run_id)`.execute(db)
  await tenantTable(db, 'cached_answers')
  await sql`create table knowledge_changes (
    bucket integer primary key,
    fresh_from timestamptz not null
  )`.execute(db)
}
