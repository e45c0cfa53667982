import { Id, Line } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { IngestionRun, ingestion, RunFile, Tags } from '@youworker/contracts/ingestion'
import { z } from 'zod'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
import type { PieceStore } from '../files/piece-writer.ts'
import { receiveUpload } from '../files/receive-upload.ts'
import { Reply } from '../http/reply.ts'
import { watchIngestionRun } from '../streams/watch-ingestion-run.ts'

/** Longest wait for a run; it goes on after that. */
const WAIT_MS = 10 * 60_000

const Flag = z.stringbool().or(z.boolean())
const Fields = z.object({
  tags: Tags.default([]),
  collection: Line(128).optional(),
  group_id: Id.optional(),
  is_private: Flag.default(false),
  wait: Flag.default(true),
})

const UploadAnswer = z
  .object({
    success: z.boolean(),
    run_id: Id,
    files_processed: z.number().int(),
    chunks_written: z.number().int(),
    totals: IngestionRun.shape.totals,
    files: z.array(RunFile),
    errors: z.array(z.string()),
  })
  .meta({ id: 'UploadAnswer' })

type UploadCall = RouteCall<unknown, { wait?: string | undefined }, unknown>

/** Tags come as repeated fields, or as one that holds a JSON array. Empty fields, as forms send them, count as missing. */
export function readFields(fields: readonly (readonly [string, string])[], query: Readonly<Record<string, string | undefined>>) {
  const values: Record<string, unknown> = { ...query }
  const tags: string[] = []
  for (const [name, value] of fields) {
    if (value.trim() === '') continue
    if (name === 'tags' || name === 'tags[]') tags.push(...readTags(value))
    else values[name] ??= value
  }
  const parsed = Fields.safeParse({ ...values, ...(tags.length > 0 ? { tags } : {}) })
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, 'The form')
}

function readTags(value: string): string[] {
  if (!value.trim().startsWith('[')) return [value]
  try {
    return z.array(z.string()).parse(JSON.parse(value))
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', 'tags: repeat the field, or send one JSON array of strings', {
      cause,
      details: [{ field: 'tags', message: 'is not a JSON array of strings' }],
    })
  }
}

/** A long upload outlives an access token. */
function pieceStore({ context, deps }: UploadCall): PieceStore {
  const client = async () => {
    const identity = context.identity && (await deps.authenticator.renew(context.identity))
    return deps.ingestion.as(context.scopeOf(identity))
  }
  return {
    open: async (name) => (await (await client()).openUpload({ name })).blob_id,
    write: async (blob_id, index, bytes) => (await client()).writeUpload({ blob_id, index, bytes }),
    finish: async (blob_id, pieces, sha256) => (await client()).finishUpload({ blob_id, pieces, sha256 }),
  }
}

async function upload(call: UploadCall): Promise<z.input<typeof UploadAnswer> | Reply> {
  const { context, deps, query } = call
  const { incoming } = context
  if (!/^multipart\/form-data\b/i.test(incoming.headers['content-type'] ?? '')) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the files as multipart/form-data, each in a part named `files`')
  }
  const received = await receiveUpload(incoming, pieceStore(call), deps.config.INGEST__MAX_FILE_MB * 1024 * 1024)
  const { wait, ...form } = readFields(received.fields, query)
  if (received.files.length === 0) {
    throw new AppError('VALIDATION_ERROR', 'No file came: send at least one part named `files`', {
      details: [{ field: 'files', message: 'is missing' }],
    })
  }
  const identity = context.identity && (await deps.authenticator.renew(context.identity))
  const client = deps.ingestion.as(context.scopeOf(identity))
  const { run_id } = await client.startRun({ ...form, files: [...received.files] }, context.once)
  return wait ? whenDone(run_id, call) : new Reply(202, { run_id })
}

async function whenDone(run_id: string, { context, deps }: UploadCall): Promise<z.input<typeof UploadAnswer> | Reply> {
  const left = new AbortController()
  context.outgoing.once('close', () => left.abort())
  using _entry = deps.streams.add(context.caller, () => left.abort())
  const signal = AbortSignal.any([left.signal, AbortSignal.timeout(WAIT_MS)])
  const run = await watchIngestionRun(run_id, { context, deps, signal })
  if (!run || run.finished_at === null) return new Reply(202, { run_id })
  const { files_processed, chunks_written, totals, files, errors } = run
  return { success: run.status === 'success', run_id, files_processed, chunks_written, totals, files, errors }
}

export const uploadRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/ingest/upload',
    tag: 'ingestion',
    summary: 'Upload files; with `wait=false` the answer is 202 `{run_id}`',
    auth: 'required',
    csrf: 'required',
    limit: 'upload',
    query: z.object({ wait: z.string().optional() }),
    body: 'multipart',
    answer: UploadAnswer,
    errors: [...ingestion.startRun.errors, 'PAYLOAD_TOO_LARGE'],
    handle: upload,
  }),
]
