import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import {
  CursorPage,
  foldCase,
  Id,
  Line,
  listed,
  Nothing,
  Status,
  MAX_TAG,
  Tags,
  Task,
  TaskList,
  Time,
  withoutBidi,
} from './common.ts'
import { event, request } from './define.ts'
import { Embedding } from './agent/model.ts'
import { SearchAnswer, SearchedSpaces, SearchQuery } from './search.ts'
import { LIMITS, WAIT } from './limits.ts'

export const Stage = z.enum(['waiting', 'parsing', 'chunking', 'embedding', 'indexing', 'done'])
export type Stage = z.infer<typeof Stage>

const Count = z.number().int().min(0)
const FileName = z.string().overwrite(withoutBidi).min(1).max(1024)

export const RunFile = z.object({
  path: z.string(),
  uri: z.string(),
  mime: z.string().nullable(),
  size_bytes: Count,
  /** The same value under the name that published clients read. */
  bytes_size: Count,
  chunks: Count,
  document_id: Id.nullable(),
  status: Status,
  stage: Stage,
  percent: z.number().min(0).max(100),
  error: z.string().optional(),
})
export type RunFile = z.infer<typeof RunFile>

export const IngestionRunSummary = z.object({
  id: Id,
  status: Status,
  percent: z.number().min(0).max(100),
  totals: z.object({ files: Count, chunks: Count, total_bytes: Count }),
  files_processed: Count,
  chunks_written: Count,
  tags: z.array(z.string()),
  collection: z.string().nullable(),
  group_id: Id.nullable(),
  is_private: z.boolean(),
  errors: z.array(z.string()),
  attempt: Count,
  created_at: Time,
  started_at: Time.nullable(),
  finished_at: Time.nullable(),
})
export const IngestionRun = IngestionRunSummary.extend({ files: z.array(RunFile) }).meta({ id: 'IngestionRun' })
export type IngestionRun = z.infer<typeof IngestionRun>

export const Document = z
  .object({
    id: Id,
    uri: z.string(),
    path: z.string(),
    title: z.string(),
    mime: z.string(),
    bytes_size: Count,
    source: z.enum(['upload']),
    tags: z.array(z.string()),
    collection: z.string().nullable(),
    group_id: Id.nullable(),
    is_private: z.boolean(),
    path_hash: z.string(),
    chunk_count: Count,
    created_at: Time,
    last_ingested_at: Time,
  })
  .meta({ id: 'Document' })
export type Document = z.infer<typeof Document>

export const CollectionSum = z.object({ collection: z.string().nullable(), document_count: Count, total_bytes: Count })
export type CollectionSum = z.infer<typeof CollectionSum>

const RunId = z.object({ run_id: Id })
const DocumentId = z.object({ document_id: Id })
const BlobId = z.object({ blob_id: Id })
const TaskId = z.object({ task_id: Id })

export const ingestion = {
  openUpload: request('rpc.ingestion.v1.upload.open', {
    input: z.object({ name: FileName, size: Count.optional(), space_id: Id.optional() }),
    output: BlobId,
    errors: ['GROUP_NOT_FOUND'],
  }),
  /** Writes part `index` (from 0) of an unfinished upload. Each part but the last has exactly `LIMITS.part` bytes. Repeats have no effect. */
  writeUpload: request('rpc.ingestion.v1.upload.write', {
    body: 'bytes',
    input: BlobId.extend({ index: z.number().int().min(0).max(4_095) }),
    output: Nothing,
    errors: ['BLOB_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  finishUpload: request('rpc.ingestion.v1.upload.finish', {
    input: BlobId.extend({ pieces: z.number().int().min(0).max(4_096), sha256: z.hex().length(64) }),
    output: z.object({ size: Count }),
    errors: ['BLOB_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  startRun: request('rpc.ingestion.v1.run.start', {
    input: z.object({
      files: z
        .array(z.object({ blob_id: Id, name: FileName, mime: z.string().max(255).optional() }))
        .min(1)
        .max(LIMITS.runFiles),
      tags: Tags.default([]),
      collection: Line(128).optional(),
      group_id: Id.optional(),
      is_private: z.boolean().default(false),
    }),
    output: RunId,
    errors: ['GROUP_NOT_FOUND', 'BLOB_NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
    deadlineMs: WAIT.slowRequest,
  }),
  getRun: request('rpc.ingestion.v1.run.get', {
    input: RunId,
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  listRuns: request('rpc.ingestion.v1.run.list', {
    input: CursorPage,
    output: z.object({ runs: z.array(IngestionRunSummary), ...listed }),
    repeatable: true,
  }),
  cancelRun: request('rpc.ingestion.v1.run.cancel', {
    input: RunId,
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  /** Processes the failed files of a finished run again. */
  retryRun: request('rpc.ingestion.v1.run.retry', {
    input: RunId,
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
  }),
  /** Deletes a finished run. Its documents stay. */
  deleteRun: request('rpc.ingestion.v1.run.delete', {
    input: RunId,
    output: Nothing,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
  }),
  listDocuments: request('rpc.ingestion.v1.document.list', {
    input: CursorPage.extend({
      collection: z.string().max(128).optional(),
      tag: z.string().max(MAX_TAG).overwrite(foldCase).optional(),
      group_id: Id.optional(),
      mime: z.string().max(255).optional(),
      q: z.string().max(200).optional(),
    }),
    output: z.object({ documents: z.array(Document), ...listed }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  /** The documents that the caller brought, or those of a group, by collection, the largest first; at most 500 collections. */
  sumCollections: request('rpc.ingestion.v1.collection.sum', {
    input: z.object({ group_id: Id.optional() }),
    output: z.object({ collections: z.array(CollectionSum) }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  getDocument: request('rpc.ingestion.v1.document.get', {
    input: DocumentId,
    output: Document,
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  /** Erases document, chunks, embeddings and file, and removes it from search. In a group: by who brought it, or by an admin. */
  deleteDocument: request('rpc.ingestion.v1.document.delete', {
    input: DocumentId,
    output: Nothing,
    errors: ['DOCUMENT_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
  openContent: request('rpc.ingestion.v1.document.open-content', {
    input: DocumentId,
    output: BlobId.extend({ name: z.string(), mime: z.string(), size: Count, pieces: Count, sha256: z.string() }),
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  readBlob: request('rpc.ingestion.v1.blob.read', {
    reply: 'bytes',
    input: BlobId.extend({ index: z.number().int().min(0).max(4_095) }),
    output: Nothing,
    errors: ['BLOB_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  search: request('rpc.ingestion.v1.search.query', {
    audience: ['api', 'run'],
    // A run's token has the scopes of the key that started the run.
    scopes: ['documents', 'documents:read'],
    input: SearchQuery,
    output: SearchAnswer.extend({ searched: SearchedSpaces }),
    errors: ['GROUP_NOT_FOUND', 'LLM_ERROR'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  embedTexts: request('rpc.ingestion.v1.embedding.create', {
    ...Embedding,
    scopes: ['chat', 'documents', 'documents:read'],
    errors: ['LLM_ERROR'],
    deadlineMs: WAIT.slowRequest,
  }),
  listTasks: request('rpc.ingestion.v1.task.list', { input: CursorPage, output: TaskList, repeatable: true }),
  getTask: request('rpc.ingestion.v1.task.get', { input: TaskId, output: Task, errors: ['TASK_NOT_FOUND'], repeatable: true }),
  cancelTask: request('rpc.ingestion.v1.task.cancel', {
    input: TaskId,
    output: Task,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),

  runFinished: event(
    'events.ingestion.v1.run.finished',
    'The ingestion of uploaded files has ended, however.',
    RunId.extend({
      user_id: Id,
      space_id: Id,
      status: Status,
      files: Count,
      chunks: Count,
      total_bytes: Count,
      duration_ms: Count,
    }),
  ),
  documentIngested: event(
    'events.ingestion.v1.document.ingested',
    'A document or a new version of it can be found. `replaced`: an earlier version made way.',
    DocumentId.extend({ user_id: Id, space_id: Id, bytes_size: Count, chunks: Count, replaced: z.boolean() }),
  ),
  documentDeleted: event(
    'events.ingestion.v1.document.deleted',
    'A document was erased, by itself or with its group.',
    DocumentId.extend({ user_id: Id, space_id: Id }),
  ),
  auditRecorded: event('events.ingestion.v1.audit.recorded', 'A privileged act at ingestion was allowed or denied.', AuditEntry),
} as const
