import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('tool_runs')
    .addColumn('is_away', 'boolean', (c) => c.notNull().defaultTo(false))
    .execute()
}
