import { z } from 'zod'
import { CursorPage, Id, Line, listed, Nothing, Status, Tags, Time } from '../common.ts'
import { request } from '../define.ts'
import { LIMITS, WAIT } from '../limits.ts'
import { FileName } from './uploads.ts'

export const Stage = z.enum(['waiting', 'parsing', 'chunking', 'embedding', 'indexing', 'done'])
export type Stage = z.infer<typeof Stage>

const Count = z.number().int().min(0)

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

export const RunId = z.object({ run_id: Id })

export const runs = {
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
} as const
