import { AppError } from '@youworker/contracts/errors'
import type { UploadState } from '@youworker/contracts/documents/uploads'
import { LIMITS } from '@youworker/contracts/limits'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import { cleanText } from '@youworker/runtime/text/text'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { SpaceAccess } from '../space-access.ts'
import { UploadHashes } from './upload-hashes.ts'
import type { BlobStore } from './blob-store.ts'

interface ResumableDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly store: BlobStore
  readonly space: FreeSpace
  readonly maxFileMb: number
}

/** Of one user, that no run has taken. */
const MAX_UNUSED = 1_000
/** What these may hold together, in largest files. */
const MAX_UNUSED_FILES = 20
const MB = 1024 * 1024

/** Uploads from the beginning to the end, in as many requests as it takes, by whichever replica. What arrived is stored at once. */
export class ResumableService {
  readonly #deps: ResumableDependencies
  readonly #hashes = new UploadHashes()

  constructor(deps: ResumableDependencies) {
    this.#deps = deps
  }

  async create(input: { name: string; size: number; space_id?: string | undefined }, context: UserContext): Promise<UploadState> {
    const { uow, access, space, maxFileMb } = this.#deps
    const { user_id } = context.caller
    const space_id = input.space_id ?? user_id
    if (space_id !== user_id) await access.require(context, space_id)
    if (input.size > maxFileMb * MB) {
      throw new AppError('PAYLOAD_TOO_LARGE', `A file may have at most ${maxFileMb} MB (INGEST__MAX_FILE_MB)`)
    }
    await space.require()
    const id = newId()
    const name = cleanText(input.name, { controls: 'mark' })
    const most = MAX_UNUSED_FILES * maxFileMb
    const blob = await uow.in([space_id]).write(async ({ blobs, resumable }) => {
      const isFull = (await resumable.announced(user_id)) + input.size > most * MB
      if (isFull || (await blobs.countUnused(user_id)) >= MAX_UNUSED) {
        throw new AppError(
          'PAYLOAD_TOO_LARGE',
          `Your uploads that no run uses may be ${MAX_UNUSED} and have ${most} MB together; start a run with them or delete some`,
        )
      }
      await blobs.add({ id, space_id, user_id, name, declared_size: input.size })
      return resumable.keep(id, space_id)
    })
    return stateOf(blob, 0)
  }

  async get({ blob_id }: { blob_id: string }, context: UserContext): Promise<UploadState> {
    const blob = await this.#found(blob_id, context)
    return this.#deps.uow.in([blob.space_id]).read(async (repos) => stateOf(blob, await offsetOf(repos, blob)))
  }

  async append({ blob_id, offset, bytes }: { blob_id: string; offset: number; bytes: Uint8Array }, context: UserContext) {
    const { uow, space, store } = this.#deps
    const within = offset % LIMITS.part
    if (bytes.length === 0 || within + bytes.length > LIMITS.part) {
      throw new AppError('VALIDATION_ERROR', `What is added must fit into one part of ${LIMITS.part} bytes`)
    }
    await space.require()
    const blob = await this.#own(blob_id, context)
    if (offset + bytes.length > (blob.declared_size ?? 0)) {
      throw new AppError('PAYLOAD_TOO_LARGE', `This upload was announced with ${blob.declared_size} bytes`)
    }
    const index = Math.floor(offset / LIMITS.part)
    // Read before the transaction, which must not wait for a second connection; the offset is compared in it.
    const before = within === 0 ? Buffer.alloc(0) : await this.#tail(blob, index, offset)
    const part = Buffer.concat([before, bytes])
    const sealed = await store.seal(blob, index, part)
    const state = await uow.in([blob.space_id]).write(async (repos) => {
      const upload = await repos.blobs.lockOwn(blob_id, context.caller.user_id, 'update')
      if (!upload) throw noUpload()
      if (upload.finished_at !== null || (await offsetOf(repos, upload)) !== offset) throw notThere(offset)
      await repos.resumable.putLast({ blob_id, index, space_id: blob.space_id, size: part.length, sealed })
      return stateOf(await repos.resumable.keep(blob_id, blob.space_id), offset + bytes.length)
    })
    this.#hashes.add(blob_id, offset, bytes)
    return state
  }

  async #tail(blob: BlobRow, index: number, offset: number): Promise<Buffer> {
    const part = await this.#deps.store.part(blob, index).catch((cause: unknown) => {
      throw cause instanceof AppError && cause.code === 'BLOB_NOT_FOUND' ? notThere(offset) : cause
    })
    if (part.length !== offset % LIMITS.part) throw notThere(offset)
    return part
  }

  async complete({ blob_id }: { blob_id: string }, context: UserContext): Promise<UploadState> {
    const { uow, store } = this.#deps
    const blob = await this.#own(blob_id, context)
    const size = blob.declared_size ?? 0
    if (blob.finished_at !== null) return stateOf(blob, size)
    const offset = await uow.in([blob.space_id]).read((repos) => offsetOf(repos, blob))
    if (offset !== size) throw new AppError('CONFLICT', `Of ${size} bytes ${offset} arrived; send the rest`)
    const pieces = Math.ceil(size / LIMITS.part)
    // Nothing can be added any more, so what is read is what will stay.
    const sha256 = await this.#hashes.of(blob_id, size, (index) => store.part(blob, index), context.signal)
    const finished = await uow.in([blob.space_id]).write(async ({ blobs }) => {
      const upload = await blobs.lockOwn(blob_id, context.caller.user_id, 'update')
      if (!upload) throw noUpload()
      if (upload.finished_at === null) await blobs.finish(blob_id, { size, pieces, sha256 })
      return (await blobs.get(blob_id)) ?? upload
    })
    this.#hashes.drop(blob_id)
    return stateOf(finished, size)
  }

  async drop({ blob_id }: { blob_id: string }, context: UserContext): Promise<Record<string, never>> {
    const { space_id } = await this.#own(blob_id, context)
    await this.#deps.uow.in([space_id]).write(async ({ blobs }) => {
      const upload = await blobs.lockOwn(blob_id, context.caller.user_id, 'update')
      if (!upload || upload.used_at !== null) throw noUpload()
      await blobs.delete([blob_id])
    })
    return {}
  }

  /** One that no run has taken. */
  async #own(blobId: string, context: UserContext): Promise<BlobRow> {
    const blob = await this.#found(blobId, context)
    if (blob.used_at !== null) throw noUpload()
    return blob
  }

  async #found(blobId: string, context: UserContext): Promise<BlobRow> {
    const { ids } = await this.#deps.access.of(context)
    const blob = await this.#deps.uow.in(ids).read(({ blobs }) => blobs.get(blobId))
    if (!blob || blob.user_id !== context.caller.user_id || blob.expires_at === null) throw noUpload()
    return blob
  }
}

/** Where the upload ends. Parts are stored in their order, and all but the last are full. */
async function offsetOf({ resumable }: IngestionRepositories, blob: BlobRow): Promise<number> {
  const last = await resumable.lastPart(blob.id, blob.space_id)
  return last ? last.index * LIMITS.part + last.size : 0
}

const stateOf = ({ id, name, declared_size, finished_at, expires_at }: BlobRow, offset: number): UploadState => ({
  id,
  name,
  size: declared_size ?? 0,
  offset,
  finished: finished_at !== null,
  expires_at: expires_at ?? new Date().toISOString(),
})

const noUpload = () => new AppError('BLOB_NOT_FOUND', 'There is no such upload of yours, or a run has taken it; begin a new one')
const notThere = (offset: number) => new AppError('CONFLICT', `The upload does not end at ${offset}; ask with HEAD where it does`)
