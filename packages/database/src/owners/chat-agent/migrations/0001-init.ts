import { type Kysely, sql } from 'kysely'
import { createSystemTables, tenantTable } from '../../../schema/system-tables.ts'

const now = sql`now()`

export async function up(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await createSessions(db)
  await createRuns(db)
  await createMessages(db)
  await createEntries(db)
  await createToolRuns(db)
  for (const table of ['sessions', 'messages', 'runs', 'run_entries', 'model_steps', 'tool_runs']) await tenantTable(db, table)
}

async function createSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('external_id', 'text', (c) => c.notNull())
    .addColumn('title', 'bytea')
    .addColumn('model', 'text')
    .addColumn('enable_tools', 'boolean', (c) => c.notNull())
    .addColumn('tools_pinned', 'boolean', (c) => c.notNull())
    .addColumn('message_count', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('turn', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('updated_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addUniqueConstraint('sessions_external_id', ['user_id', 'external_id'])
    .execute()
  await sql`create index sessions_of_user on sessions (user_id, created_at desc, id desc)`.execute(db)
}

async function createRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('runs')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('sid', 'uuid', (c) => c.notNull())
    .addColumn('session_id', 'uuid', (c) => c.notNull().references('sessions.id').onDelete('cascade'))
    .addColumn('grant_id', 'uuid', (c) => c.notNull())
    .addColumn('turn', 'integer', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull().defaultTo('pending'))
    .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('model', 'text')
    .addColumn('enable_tools', 'boolean', (c) => c.notNull())
    .addColumn('disable_web', 'boolean', (c) => c.notNull())
    .addColumn('max_iterations', 'integer')
    .addColumn('tokens_in', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('tokens_out', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('ttft_ms', 'integer')
    .addColumn('stop_reason', 'text')
    .addColumn('error', 'text')
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('updated_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addUniqueConstraint('runs_turn', ['session_id', 'turn'])
    .execute()
  await sql`create index runs_open on runs (user_id) where status in ('pending', 'running')`.execute(db)
}

async function createMessages(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('messages')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('session_id', 'uuid', (c) => c.notNull().references('sessions.id').onDelete('cascade'))
    .addColumn('run_id', 'uuid', (c) => c.notNull())
    .addColumn('turn', 'integer', (c) => c.notNull())
    .addColumn('position', 'bigint', (c) => c.notNull().generatedAlwaysAsIdentity())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('content', 'bytea', (c) => c.notNull())
    .addColumn('tokens_in', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('tokens_out', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .execute()
  await sql`create index messages_of_session on messages (session_id, turn, position)`.execute(db)
}

async function createEntries(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('run_entries')
    .addColumn('run_id', 'uuid', (c) => c.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('n', 'bigint', (c) => c.notNull())
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('body', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('run_entries_pkey', ['run_id', 'n'])
    .execute()
  await db.schema
    .createTable('model_steps')
    .addColumn('run_id', 'uuid', (c) => c.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('iteration', 'integer', (c) => c.notNull())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('latency_ms', 'integer', (c) => c.notNull())
    .addColumn('tokens_in', 'integer', (c) => c.notNull())
    .addColumn('tokens_out', 'integer', (c) => c.notNull())
    .addColumn('text_end', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('model_steps_pkey', ['run_id', 'iteration'])
    .execute()
}

async function createToolRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tool_runs')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('session_id', 'uuid', (c) => c.notNull())
    .addColumn('run_id', 'uuid', (c) => c.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('iteration', 'integer', (c) => c.notNull())
    .addColumn('index', 'integer', (c) => c.notNull())
    .addColumn('tool_name', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull().defaultTo('running'))
    .addColumn('idempotent', 'boolean', (c) => c.notNull())
    .addColumn('args', 'bytea', (c) => c.notNull())
    .addColumn('result', 'bytea')
    .addColumn('preview', 'bytea')
    .addColumn('error', 'bytea')
    .addColumn('start_ts', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('called_at', 'timestamptz')
    .addColumn('end_ts', 'timestamptz')
    .addColumn('latency_ms', 'integer')
    .addUniqueConstraint('tool_runs_place', ['run_id', 'iteration', 'index'])
    .execute()
  await sql`create index tool_runs_of_user on tool_runs (user_id, start_ts desc, id desc)`.execute(db)
  await sql`create index tool_runs_of_session on tool_runs (session_id)`.execute(db)
}
