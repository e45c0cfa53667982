import { z } from 'zod'
import { CursorPage, Id, Line, listed, Nothing, Status, Tags, Time } from '../common.ts'
import { request } from '../define.ts'
import { LIMITS, WAIT } from '../limits.ts'
import { FileName } from './uploads.ts'

export const Stage = z.enum(['waiting', 'parsing', 'chunking', 'embedding', 'indexing', 'done'])
export type Stage = z.infer<typeof Stage>

const Count = z.number().int().min(0)

/** What is done of a file, in this order. */
export const Step = z.enum(['fetched', 'sniffed', 'parsed', 'chunked', 'embedded', 'indexed'])
export type Step = z.infer<typeof Step>

/** A step that ended at `at`, or with `error` one that did not. */
export const TimelineEntry = z.object({
  step: Step,
  at: Time,
  duration_ms: Count,
  attempt: Count,
  error: z.string().optional(),
  note: z.string().optional(),
})
export type TimelineEntry = z.infer<typeof TimelineEntry>

export const FileTimeline = z.object({
  path: z.string(),
  document_id: Id.nullable(),
  status: Status,
  entries: z.array(TimelineEntry),
})
export const VersionTimeline = z.object({ run_id: Id, created_at: Time, entries: z.array(TimelineEntry) })

export const RetryStage = z.enum(['parsing', 'chunking', 'embedding', 'indexing'])
export type RetryStage = z.infer<typeof RetryStage>

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
  /** Nobody works on it until it is resumed. */
  paused: z.boolean(),
  /** When its worker last showed that it is at work; `null` while nobody works on it. */
  heartbeat_at: Time.nullable(),
  created_at: Time,
  started_at: Time.nullable(),
  finished_at: Time.nullable(),
})
export const IngestionRun = IngestionRunSummary.extend({ files: z.array(RunFile) }).meta({ id: 'IngestionRun' })
export type IngestionRun = z.infer<typeof IngestionRun>

export const RunId = z.object({ run_id: Id })

export const runs = {
  startRun: request('rpc.ingestion.v1.run.start', {
    audience: ['api', 'run'],
    scopes: ['documents'],
    input: z.object({
      files: z
        .array(z.object({ blob_id: Id, name: FileName, mime: z.string().max(255).optional() }))
        .min(1)
        .max(LIMITS.runFiles),
      tags: Tags.default([]),
      collection: Line(128).optional(),
      collection_id: Id.optional().meta({
        description: 'Instead of `collection` and `group_id`; also one that you may write to.',
      }),
      group_id: Id.optional(),
      is_private: z.boolean().default(false),
    }),
    output: RunId,
    errors: ['GROUP_NOT_FOUND', 'COLLECTION_NOT_FOUND', 'BLOB_NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
    deadlineMs: WAIT.slowRequest,
  }),
  getRun: request('rpc.ingestion.v1.run.get', {
    audience: ['api', 'run'],
    scopes: ['documents', 'documents:read'],
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
  /** A waiting run is not begun, a working one stops within 2 s and keeps what its files have reached. */
  pauseRun: request('rpc.ingestion.v1.run.pause', {
    input: RunId,
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  resumeRun: request('rpc.ingestion.v1.run.resume', {
    input: RunId,
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  /** What became of each file, also of those that failed. */
  getRunTimeline: request('rpc.ingestion.v1.run.timeline', {
    input: RunId,
    output: z.object({ files: z.array(FileTimeline) }),
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  /** How the versions of a document came to be, the newest first, 20 at most. */
  getDocumentTimeline: request('rpc.ingestion.v1.document.timeline', {
    input: z.object({ document_id: Id }),
    output: z.object({ versions: z.array(VersionTimeline) }),
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  /** Processes the failed files of a finished run again: each from where it stopped, or from an earlier stage. */
  retryRun: request('rpc.ingestion.v1.run.retry', {
    input: RunId.extend({ stage: RetryStage.optional() }),
    output: IngestionRun,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
  }),
  /** Deletes a finished run. Its documents stay. */
  deleteRun: request('rpc.ingestion.v1.run.delete', {
    input: RunId,
    output: Nothing,
    errors: ['RUN_NOT_FOUND', 'CONFLICT'],
  }),
} as const
