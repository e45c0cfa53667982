import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table tool_runs add column session_id uuid`.execute(db)
  await sql`create index tool_runs_of_session on tool_runs (session_id)`.execute(db)
  await sql`create index messages_of_session on messages (session_id)`.execute(db)
}
