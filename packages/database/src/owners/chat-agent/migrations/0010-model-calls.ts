import { type Kysely, sql } from 'kysely'

/** Earlier calls and titles keep what is known of them: nothing of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['model_steps', 'unfinished_calls']) {
    await sql`alter table ${sql.table(table)}
      add column attempt integer,
      add column started_at timestamptz,
      add column backend text,
      add column num_ctx integer,
      add column max_tokens integer,
      add column content bytea`.execute(db)
  }
  await sql`alter table model_steps add column finish_reason text`.execute(db)
  await sql`alter table unfinished_calls add column error bytea`.execute(db)
  await sql`alter table sessions add column title_by text check (title_by in ('user', 'words', 'model'))`.execute(db)
}
