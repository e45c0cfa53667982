import { Id, Line } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { Tags } from '@youworker/contracts/common'
import { IngestionRun, RunFile } from '@youworker/contracts/documents/runs'
import { ingestion } from '@youworker/contracts/ingestion'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
import type { FormFields } from '../files/part-writer.ts'
import { receiveUpload, type UploadLimits } from '../files/receive-upload.ts'
import { uploadStore } from '../files/upload-store.ts'
import { accepted, type Wait, waitOf } from '../http/prefer.ts'
import type { Reply } from '../http/answers/reply.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { IngestionWatcher } from '../streams/ingestion-watcher.ts'
import type { OpenStreams } from '../streams/open-streams.ts'

const Flag = z.stringbool().or(z.boolean())
const Fields = z.object({
  tags: Tags.default([]),
  collection: Line(128).optional(),
  collection_id: Id.optional(),
  group_id: Id.optional(),
  is_private: Flag.default(false),
  wait: Flag.default(true),
})

export const UploadAnswer = z
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

/** What waiting for the end of a run needs. */
export interface RunWaitDeps extends Pick<Clients, 'ingestion'> {
  readonly ingestionWatcher: IngestionWatcher
  readonly streams: OpenStreams
}
interface Deps extends RunWaitDeps {
  readonly authenticator: Authenticator
  readonly uploadLimits: UploadLimits
}
type Query = Readonly<{ wait?: string | undefined }>
type UploadCall = RouteCall<unknown, Query, unknown>

/** Tags are repeated fields, or one with a JSON array. Empty fields count as missing, because forms send them. */
export function readFields(fields: FormFields, query: Readonly<Record<string, string | undefined>>) {
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

/** Sealed for the group at once when `group_id` came before the file; else the run seals a copy for it. */
function spaceOf(fields: FormFields, query: Query): string | undefined {
  const { group_id, is_private } = readFields(fields, query)
  return is_private ? undefined : group_id
}

async function upload({ context, query }: UploadCall, deps: Deps): Promise<z.input<typeof UploadAnswer> | Reply> {
  const { incoming } = context
  if (!/^multipart\/form-data\b/i.test(incoming.headers['content-type'] ?? '')) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the files as multipart/form-data, each in a part named `files`')
  }
  const client = async () => deps.ingestion.as(await context.renewedScope(deps.authenticator))
  const store = uploadStore(client, (fields) => spaceOf(fields, query))
  const received = await receiveUpload(incoming, store, deps.uploadLimits)
  const { wait, ...form } = readFields(received.fields, query)
  if (received.files.length === 0) {
    throw new AppError('VALIDATION_ERROR', 'No file came: send at least one part named `files`', {
      details: [{ field: 'files', message: 'is missing' }],
    })
  }
  const { run_id } = await (await client()).startRun({ ...form, files: [...received.files] }, context.idempotency)
  return wait ? whenDone(run_id, context, deps) : acceptedRun(run_id, { headers: {} })
}

export const acceptedRun = (run_id: string, wait: Pick<Wait, 'headers'>) =>
  accepted(`/v1/ingestion-runs/${run_id}`, { run_id }, wait)

export async function whenDone(
  run_id: string,
  context: RequestContext,
  { ingestionWatcher, streams }: Pick<Deps, 'ingestionWatcher' | 'streams'>,
): Promise<z.input<typeof UploadAnswer> | Reply> {
  const stop = new AbortController()
  context.outgoing.once('close', () => stop.abort())
  using _entry = streams.add(context.caller, () => stop.abort())
  const wait = waitOf(context)
  const watching = ingestionWatcher.watch(run_id, context, { signal: stop.signal }).catch(unlessUnavailable)
  const hasEnded = await settledWithin(wait.leftMs(), watching)
  if (!hasEnded) stop.abort()
  const run = hasEnded ? await watching : undefined
  if (!run || run.finished_at === null) return acceptedRun(run_id, wait)
  const { files_processed, chunks_written, totals, files, errors } = run
  return { success: run.status === 'success', run_id, files_processed, chunks_written, totals, files, errors }
}

/** The run has begun: when it cannot be looked at for now, that is no failure of the upload. */
function unlessUnavailable(error: unknown): undefined {
  if (!(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
}

const text = { type: 'string' }
const FORM = {
  properties: {
    files: { type: 'array', items: { type: 'string', contentMediaType: 'application/octet-stream' } },
    tags: { type: 'array', items: text },
    collection: text,
    collection_id: { ...text, format: 'uuid' },
    group_id: { ...text, format: 'uuid' },
    is_private: { type: 'boolean', default: false },
    wait: { type: 'boolean', default: true },
  },
  required: ['files'],
}

export const uploadRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/ingest/upload',
    tag: 'ingestion',
    operation: 'uploadFiles',
    summary: 'Upload files; with `wait=false`, or when the run does not end in time, the answer is 202 `{run_id}`',
    auth: 'required',
    scopes: ['documents'],
    csrf: 'required',
    limit: 'upload',
    query: z.object({ wait: z.string().optional() }),
    body: 'multipart',
    form: FORM,
    answer: UploadAnswer,
    accepted: z.object({ run_id: Id }),
    errors: [...ingestion.startRun.errors, 'PAYLOAD_TOO_LARGE'],
    handle: upload,
  }),
]
