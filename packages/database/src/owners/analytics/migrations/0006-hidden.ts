import { type Kysely, sql } from 'kysely'

/** Sessions and documents that are deleted and not erased may come back: the later of the two times tells. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['sessions', 'documents'].map((name) => sql.table(name)))
    await sql`alter table ${table} add column hidden_at timestamptz, add column shown_at timestamptz, add column is_hidden boolean
      not null generated always as (hidden_at is not null and (shown_at is null or shown_at < hidden_at)) stored`.execute(db)
}
