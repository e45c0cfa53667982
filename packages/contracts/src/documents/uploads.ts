import { z } from 'zod'
import { Id, Nothing, withoutBidi } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'

export const FileName = z.string().overwrite(withoutBidi).min(1).max(1024)
export const BlobId = z.object({ blob_id: Id })

export const uploads = {
  openUpload: request('rpc.ingestion.v1.upload.open', {
    input: z.object({ name: FileName, size: z.number().int().min(0).optional(), space_id: Id.optional() }),
    output: BlobId,
    errors: ['GROUP_NOT_FOUND'],
  }),
  /** A whole file of at most one part, instead of the three requests for a longer one. */
  storeUpload: request('rpc.ingestion.v1.upload.store', {
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
