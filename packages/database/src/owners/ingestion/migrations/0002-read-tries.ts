import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('run_files')
    .addColumn('read_tries', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('reader_deaths', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}
