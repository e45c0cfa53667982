import { type Kysely, sql } from 'kysely'

/** Where in a recording a passage is said, in seconds. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['chunks', 'staged_chunks'])
    await sql`alter table ${sql.table(table)} add column time_start float8, add column time_end float8`.execute(db)
}
