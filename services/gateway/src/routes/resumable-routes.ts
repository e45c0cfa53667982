import type { OutgoingHttpHeaders } from 'node:http'
import { Id, Line, Tags } from '@youworker/contracts/common'
import { UploadState } from '@youworker/contracts/documents/uploads'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { LIMITS } from '@youworker/contracts/limits'
import pLimit from 'p-limit'
import { z } from 'zod'
import type { OpenAppends } from '../files/open-appends.ts'
import { receiveBytes } from '../files/receive-bytes.ts'
import { cleanName, type UploadLimits } from '../files/receive-upload.ts'
import { Reply } from '../http/answers/reply.ts'
import { defineRoute } from '../http/define-route.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RequestContext } from '../http/request-context.ts'
import { acceptedRun, type RunWaitDeps, UploadAnswer, whenDone } from './upload-routes.ts'

// tus 1.0 (https://tus.io/protocols/resumable-upload): the core protocol with creation, expiration and termination.
const VERSION = '1.0.0'
const BYTES = 'application/offset+octet-stream'
const MAX_METADATA = 8_192
/** Requests to ingestion at the same time, for the uploads of one request. */
const LOOKED_AT_AT_ONCE = 8

interface Deps extends RunWaitDeps {
  readonly authenticator: Authenticator
  readonly openAppends: OpenAppends
  readonly uploadLimits: UploadLimits
}
const UploadPath = z.object({ upload_id: Id })
const client = (context: RequestContext, { ingestion: uploads }: Pick<Deps, 'ingestion'>) => uploads.as(context.scope)

/** `undefined` unless the client speaks another version: then what answers it. */
function otherVersion(context: RequestContext): Reply | undefined {
  const { incoming, outgoing, correlationId } = context
  outgoing.setHeader('tus-resumable', VERSION)
  const asked = incoming.headers['tus-resumable']
  if (asked === undefined || asked === VERSION) return undefined
  const error = new AppError('VALIDATION_ERROR', `Resumable uploads speak tus ${VERSION} here`)
  return new Reply(412, errorBody(error, correlationId), { 'tus-version': VERSION })
}

function numberHeader({ incoming }: RequestContext, name: 'upload-length' | 'upload-offset'): number {
  const value = incoming.headers[name]
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value)
  throw new AppError('VALIDATION_ERROR', `The header ${name} must be a number of bytes`, {
    details: [{ field: name, message: 'must be a number of bytes' }],
  })
}

/** Pairs of a key and a value in Base64, separated by commas. */
export function readMetadata(header: string | string[] | undefined): ReadonlyMap<string, string> {
  const text = [header ?? ''].flat().join(',')
  if (text.length > MAX_METADATA) throw new AppError('VALIDATION_ERROR', `Upload-Metadata may have ${MAX_METADATA} characters`)
  const pairs = text.split(',').map((pair) => pair.trim().split(' '))
  return new Map(pairs.map(([key = '', value = '']) => [key.toLowerCase(), Buffer.from(value, 'base64').toString()]))
}

function headersOf({ offset, size, expires_at }: z.infer<typeof UploadState>): OutgoingHttpHeaders {
  return {
    'upload-offset': String(offset),
    'upload-length': String(size),
    'upload-expires': new Date(expires_at).toUTCString(),
    'cache-control': 'no-store',
  }
}

const write = { tag: 'ingestion', auth: 'required', scopes: ['documents'], csrf: 'required', limit: 'default' } as const

export const resumableRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/uploads',
    operation: 'createUpload',
    summary: 'Begin a resumable upload (tus 1.0): Upload-Length, and in Upload-Metadata `filename` and `group_id`',
    status: 201,
    discovery: { 'tus-resumable': VERSION, 'tus-version': VERSION, 'tus-extension': 'creation,expiration,termination' },
    answer: UploadState,
    errors: [...ingestion.openResumableUpload.errors, 'PAYLOAD_TOO_LARGE'],
    async handle({ context }, deps: Deps) {
      const other = otherVersion(context)
      if (other) return other
      const size = numberHeader(context, 'upload-length')
      const metadata = readMetadata(context.incoming.headers['upload-metadata'])
      const group = metadata.get('group_id')
      const space_id = group === undefined ? undefined : z.safeParse(Id, group).data
      if (group !== undefined && space_id === undefined) throw new AppError('VALIDATION_ERROR', 'group_id is not valid')
      const name = cleanName(metadata.get('filename') ?? metadata.get('name'))
      const opened = await client(context, deps).openResumableUpload({ name, size, space_id })
      const { id: blob_id } = opened
      const state = size === 0 ? await client(context, deps).completeUpload({ blob_id }) : opened
      return new Reply(201, state, { ...headersOf(state), location: `/v1/uploads/${blob_id}` })
    },
  }),
  defineRoute({
    ...write,
    csrf: 'none',
    method: 'GET',
    path: '/v1/uploads/{upload_id}',
    operation: 'getUpload',
    summary: 'How far a resumable upload is; HEAD has it in Upload-Offset',
    params: UploadPath,
    answer: UploadState,
    errors: ingestion.getUpload.errors,
    async handle({ params, context }, deps: Deps) {
      const other = otherVersion(context)
      if (other) return other
      // Whoever asks with HEAD is about to go on.
      if (context.incoming.method === 'HEAD') await deps.openAppends.end(params.upload_id)
      const state = await client(context, deps).getUpload({ blob_id: params.upload_id })
      return new Reply(200, state, headersOf(state))
    },
  }),
  defineRoute({
    ...write,
    method: 'PATCH',
    path: '/v1/uploads/{upload_id}',
    operation: 'appendUpload',
    summary: 'Send bytes from Upload-Offset on',
    params: UploadPath,
    body: 'bytes',
    status: 204,
    errors: [...ingestion.appendUpload.errors, 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
    handle: ({ params, context }, deps: Deps) => append(params.upload_id, context, deps),
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/uploads/{upload_id}',
    operation: 'deleteUpload',
    summary: 'Give a resumable upload up',
    params: UploadPath,
    status: 204,
    errors: ingestion.dropUpload.errors,
    async handle({ params, context }, deps: Deps) {
      const other = otherVersion(context)
      if (other) return other
      await client(context, deps).dropUpload({ blob_id: params.upload_id })
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/ingest/uploads',
    operation: 'ingestUploads',
    summary: 'Ingest finished resumable uploads; when the run does not end in time, the answer is 202 `{run_id}`',
    limit: 'upload',
    body: z
      .object({
        upload_ids: z.array(Id).min(1).max(LIMITS.runFiles),
        tags: Tags.default([]),
        collection: Line(128).optional(),
        group_id: Id.optional(),
        is_private: z.boolean().default(false),
        wait: z.boolean().default(true),
      })
      .meta({ id: 'IngestUploadsBody' }),
    answer: UploadAnswer,
    accepted: z.object({ run_id: Id }),
    errors: ingestion.startRun.errors,
    async handle({ body: { upload_ids, wait, ...form }, context }, deps: Deps) {
      const limit = pLimit(LOOKED_AT_AT_ONCE)
      const look = (blob_id: string) => limit(() => client(context, deps).getUpload({ blob_id }))
      const states = await Promise.all(upload_ids.map(look))
      const files = states.map(({ id: blob_id, name }) => ({ blob_id, name }))
      const { run_id } = await client(context, deps).startRun({ ...form, files }, context.idempotency)
      return wait ? whenDone(run_id, context, deps) : acceptedRun(run_id, { headers: {} })
    },
  }),
]

async function append(blob_id: string, context: RequestContext, deps: Deps): Promise<Reply> {
  const other = otherVersion(context)
  if (other) return other
  const { incoming } = context
  if (incoming.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() !== BYTES) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', `Send the bytes as ${BYTES}`)
  }
  const from = numberHeader(context, 'upload-offset')
  return deps.openAppends.run(blob_id, incoming, () => storeBody(blob_id, from, context, deps))
}

async function storeBody(blob_id: string, from: number, context: RequestContext, deps: Deps): Promise<Reply> {
  // An upload may outlive an access token. What came is stored also when the client has left since, so these calls do not end with it.
  const uploads = async () => deps.ingestion.as({ ...(await context.renewedScope(deps.authenticator)), signal: undefined })
  let state = await (await uploads()).getUpload({ blob_id })
  if (state.offset !== from) throw new AppError('CONFLICT', `The upload ends at ${state.offset}, not at ${from}`)
  const add = async (offset: number, bytes: Uint8Array) => {
    state = await (await uploads()).appendUpload({ blob_id, offset, bytes })
    return state.offset
  }
  await receiveBytes(context.incoming, from, add, deps.uploadLimits.leastRate)
  if (state.offset === state.size && !state.finished) state = await (await uploads()).completeUpload({ blob_id })
  return new Reply(204, undefined, headersOf(state))
}
