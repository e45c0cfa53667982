import type { Kysely } from 'kysely'

/** How often the reading of a file was begun without a known good end. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('run_files')
    .addColumn('read_tries', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}
