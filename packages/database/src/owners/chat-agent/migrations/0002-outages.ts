import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('tool_runs')
    .addColumn('is_away', 'boolean', (c) => c.notNull().defaultTo(false))
    .execute()
  await db.schema
    .alterTable('model_steps')
    .addColumn('estimated', 'boolean', (c) => c.notNull().defaultTo(false))
    .execute()
  await db.schema
    .createTable('unfinished_calls')
    .addColumn('run_id', 'uuid', (c) => c.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('n', 'integer', (c) => c.notNull())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('iteration', 'integer', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('latency_ms', 'integer')
    .addColumn('tokens_in', 'integer', (c) => c.notNull())
    .addColumn('tokens_out', 'integer', (c) => c.notNull())
    .addColumn('estimated', 'boolean', (c) => c.notNull())
    .addColumn('text_end', 'integer', (c) => c.notNull())
    .addColumn('said', 'bytea')
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
    .addPrimaryKeyConstraint('unfinished_calls_pkey', ['run_id', 'n'])
    .execute()
  await tenantTable(db, 'unfinished_calls')
}
