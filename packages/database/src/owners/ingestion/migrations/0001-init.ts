import { type Kysely, sql } from 'kysely'
import { createSystemTables, tenantTable } from '../../../schema/system-tables.ts'

const now = sql`now()`

export async function up(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await createFiles(db)
  await createRuns(db)
  await createDocuments(db)
  await createChunks(db)
  await createIndexState(db)
  for (const table of TENANT_TABLES) await tenantTable(db, table)
}

const TENANT_TABLES = [
  'blobs',
  'blob_pieces',
  'runs',
  'run_files',
  'documents',
  'chunks',
  'embeddings',
  'space_indexes',
  'index_changes',
]

async function createFiles(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('blobs')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('declared_size', 'bigint')
    .addColumn('size', 'bigint')
    .addColumn('pieces', 'integer')
    .addColumn('sha256', 'text')
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('finished_at', 'timestamptz')
    .addColumn('used_at', 'timestamptz')
    .execute()
  await db.schema.createIndex('blobs_space_id').on('blobs').column('space_id').execute()
  await sql`CREATE INDEX blobs_unused ON blobs (user_id, created_at) WHERE used_at IS NULL`.execute(db)
  await sql`CREATE INDEX blobs_used_at ON blobs (used_at) WHERE used_at IS NOT NULL`.execute(db)
  await db.schema
    .createTable('blob_pieces')
    .addColumn('blob_id', 'uuid', (c) => c.notNull().references('blobs.id').onDelete('cascade'))
    .addColumn('index', 'integer', (c) => c.notNull())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('size', 'integer', (c) => c.notNull())
    .addColumn('sealed', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('blob_pieces_pkey', ['blob_id', 'index'])
    .execute()
  // Sealed bytes do not compress, so Postgres should not try.
  await sql`ALTER TABLE blob_pieces ALTER COLUMN sealed SET STORAGE EXTERNAL`.execute(db)
}

async function createRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('runs')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('target_space_id', 'uuid', (c) => c.notNull())
    .addColumn('tags', sql`text[]`, (c) => c.notNull())
    .addColumn('collection', 'text')
    .addColumn('group_id', 'uuid')
    .addColumn('is_private', 'boolean', (c) => c.notNull())
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('started_at', 'timestamptz')
    .execute()
  await db.schema.createIndex('runs_list').on('runs').columns(['user_id', 'created_at', 'id']).execute()
  await db.schema.createIndex('runs_target_space_id').on('runs').column('target_space_id').execute()
  await db.schema
    .createTable('run_files')
    .addColumn('run_id', 'uuid', (c) => c.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('index', 'integer', (c) => c.notNull())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('uri', 'text', (c) => c.notNull())
    .addColumn('mime', 'text')
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('blob_id', 'uuid', (c) => c.references('blobs.id').onDelete('set null'))
    .addColumn('document_id', 'uuid')
    .addColumn('chunks', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('stage', 'text', (c) => c.notNull())
    .addColumn('percent', 'real', (c) => c.notNull().defaultTo(0))
    .addColumn('error', 'text')
    .addPrimaryKeyConstraint('run_files_pkey', ['run_id', 'index'])
    .execute()
  await db.schema.createIndex('run_files_blob_id').on('run_files').column('blob_id').execute()
}

async function createDocuments(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('documents')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('user_id', 'uuid', (c) => c.notNull())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('path_hash', 'text', (c) => c.notNull())
    .addColumn('uri', 'text', (c) => c.notNull())
    .addColumn('title', 'text', (c) => c.notNull())
    .addColumn('mime', 'text', (c) => c.notNull())
    .addColumn('bytes_size', 'bigint', (c) => c.notNull())
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('tags', sql`text[]`, (c) => c.notNull())
    .addColumn('collection', 'text')
    .addColumn('group_id', 'uuid')
    .addColumn('is_private', 'boolean', (c) => c.notNull())
    .addColumn('blob_id', 'uuid', (c) => c.notNull().references('blobs.id'))
    .addColumn('sha256', 'text', (c) => c.notNull())
    .addColumn('pipeline', 'text', (c) => c.notNull())
    .addColumn('generation', 'integer', (c) => c.notNull())
    .addColumn('chunk_count', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addColumn('last_ingested_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addUniqueConstraint('documents_path', ['space_id', 'path_hash'])
    .execute()
  await db.schema.createIndex('documents_list').on('documents').columns(['space_id', 'created_at', 'id']).execute()
  await db.schema.createIndex('documents_blob_id').on('documents').column('blob_id').execute()
}

async function createChunks(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('chunks')
    .addColumn('id', 'uuid', (c) => c.primaryKey())
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('document_id', 'uuid', (c) => c.notNull().references('documents.id').onDelete('cascade'))
    .addColumn('generation', 'integer', (c) => c.notNull())
    .addColumn('index', 'integer', (c) => c.notNull())
    .addColumn('text', 'text', (c) => c.notNull())
    .addColumn('title_path', sql`text[]`, (c) => c.notNull())
    .addColumn('page', 'integer')
    .addColumn('start', 'integer', (c) => c.notNull())
    .addColumn('end', 'integer', (c) => c.notNull())
    .addColumn('text_hash', 'text', (c) => c.notNull())
    .addUniqueConstraint('chunks_order', ['document_id', 'generation', 'index'])
    .execute()
  await db.schema.createIndex('chunks_text_hash').on('chunks').columns(['space_id', 'text_hash']).execute()
  await db.schema
    .createTable('embeddings')
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('text_hash', 'text', (c) => c.notNull())
    .addColumn('vector', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('embeddings_pkey', ['space_id', 'text_hash', 'model'])
    .execute()
}

async function createIndexState(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('space_indexes')
    .addColumn('space_id', 'uuid', (c) => c.primaryKey())
    .addColumn('epoch', 'uuid', (c) => c.notNull().defaultTo(sql`gen_random_uuid()`))
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('erased_at', 'timestamptz')
    .execute()
  await db.schema
    .createTable('index_changes')
    .addColumn('space_id', 'uuid', (c) => c.notNull())
    .addColumn('document_id', 'uuid', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('changed_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
    .addPrimaryKeyConstraint('index_changes_pkey', ['space_id', 'document_id'])
    .execute()
  await db.schema.createIndex('index_changes_seq').on('index_changes').columns(['space_id', 'seq']).execute()
}
