import { z } from 'zod'
import { Id, Nothing, Time, withoutBidi } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'

export const FileName = z.string().overwrite(withoutBidi).min(1).max(1024)
export const BlobId = z.object({ blob_id: Id })

const Size = z.number().int().min(0)
/** An upload that goes on after a cut. */
export const UploadState = z
  .object({ id: Id, name: z.string(), size: Size, offset: Size, finished: z.boolean(), expires_at: Time })
  .meta({ id: 'UploadState' })
export type UploadState = z.infer<typeof UploadState>

export const uploads = {
  /** A file of known length that is sent from its beginning to its end, in as many requests as it takes. */
  openResumableUpload: request('rpc.ingestion.v1.upload.open-resumable', {
    input: z.object({ name: FileName, size: Size, space_id: Id.optional() }),
    output: UploadState,
    errors: ['GROUP_NOT_FOUND'],
  }),
  getUpload: request('rpc.ingestion.v1.upload.get', {
    input: BlobId,
    output: UploadState,
    errors: ['BLOB_NOT_FOUND'],
    repeatable: true,
  }),
  /** Adds bytes at `offset`, which must be where the upload ends and must not lead over the end of a part of `LIMITS.part` bytes. */
  appendUpload: request('rpc.ingestion.v1.upload.append', {
    body: 'bytes',
    input: BlobId.extend({ offset: Size }),
    output: UploadState,
    errors: ['BLOB_NOT_FOUND', 'CONFLICT'],
    deadlineMs: WAIT.slowRequest,
  }),
  /** All bytes are there: from now on a run can take it. */
  completeUpload: request('rpc.ingestion.v1.upload.complete', {
    input: BlobId,
    output: UploadState,
    errors: ['BLOB_NOT_FOUND', 'CONFLICT'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  dropUpload: request('rpc.ingestion.v1.upload.drop', {
    input: BlobId,
    output: Nothing,
    errors: ['BLOB_NOT_FOUND'],
    repeatable: true,
  }),
  openUpload: request('rpc.ingestion.v1.upload.open', {
    input: z.object({ name: FileName, size: z.number().int().min(0).optional(), space_id: Id.optional() }),
    output: BlobId,
    errors: ['GROUP_NOT_FOUND'],
  }),
  /** A whole file of at most one part, instead of the three requests for a longer one. */
  storeUpload: request('rpc.ingestion.v1.upload.store', {
    audience: ['api', 'run'],
    scopes: ['documents'],
    body: 'bytes',
    input: z.object({ name: FileName, space_id: Id.optional() }),
    output: BlobId,
    errors: ['GROUP_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
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
    output: z.object({ size: z.number().int().min(0) }),
    errors: ['BLOB_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
} as const
