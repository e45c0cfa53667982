import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore } from './blob-store.ts'
import { RunningHashes } from './running-hashes.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { cleanText } from '@youworker/runtime/text/text'
import type { SpaceAccess } from '../space-access.ts'

/** Uploads of one user that no run has taken. */
const MAX_UNUSED = 1_000

interface UploadDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly store: BlobStore
  readonly space: FreeSpace
  readonly maxFileMb: number
}

interface StoreInput {
  readonly name: string
  readonly space_id?: string | undefined
  readonly bytes: Uint8Array
}

/** Upload and download in parts. Any replica takes any part, in any order. */
export class UploadService {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess
  readonly #store: BlobStore
  readonly #space: FreeSpace
  readonly #maxFileMb: number
  readonly #hashes = new RunningHashes()

  constructor({ uow, access, store, space, maxFileMb }: UploadDependencies) {
    this.#uow = uow
    this.#access = access
    this.#store = store
    this.#space = space
    this.#maxFileMb = maxFileMb
  }

  async create(input: { name: string; size?: number | undefined; space_id?: string | undefined }, context: UserContext) {
    const { user_id } = context.caller
    const space_id = input.space_id ?? user_id
    if (space_id !== user_id) await this.#access.require(context, space_id)
    if ((input.size ?? 0) > this.#maxBytes) throw this.#tooLarge()
    await this.#space.require()
    const id = newId()
    const name = cleanText(input.name, { controls: 'mark' })
    await this.#uow.in([space_id]).write(async ({ blobs }) => {
      if ((await blobs.countUnused(user_id)) >= MAX_UNUSED) throw tooManyUnused()
      await blobs.add({ id, space_id, user_id, name, declared_size: input.size ?? null })
    })
    return { blob_id: id }
  }

  /** A whole file that fits into one part. */
  async store({ name: given, space_id: target, bytes }: StoreInput, context: UserContext): Promise<{ blob_id: string }> {
    const { user_id } = context.caller
    const space_id = target ?? user_id
    if (space_id !== user_id) await this.#access.require(context, space_id)
    if (bytes.length > LIMITS.part) throw new AppError('VALIDATION_ERROR', `A file of one part holds up to ${LIMITS.part} bytes`)
    if (bytes.length > this.#maxBytes) throw this.#tooLarge()
    await this.#space.require()
    const [id, size, pieces] = [newId(), bytes.length, bytes.length === 0 ? 0 : 1]
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const sealed = await this.#store.seal({ id, space_id }, 0, bytes)
    const blob = {
      id,
      space_id,
      user_id,
      name: cleanText(given, { controls: 'mark' }),
      declared_size: size,
      size,
      pieces,
      sha256,
    }
    await this.#uow.in([space_id]).write(async ({ blobs }) => {
      if ((await blobs.countUnused(user_id)) >= MAX_UNUSED) throw tooManyUnused()
      await blobs.addWhole(blob)
      if (pieces > 0) await blobs.putPart({ blob_id: id, index: 0, space_id, size, sealed })
    })
    return { blob_id: id }
  }

  async write({ blob_id, index, bytes }: { blob_id: string; index: number; bytes: Uint8Array }, context: UserContext) {
    if (bytes.length === 0 || bytes.length > LIMITS.part) {
      throw new AppError('VALIDATION_ERROR', `A part holds 1 to ${LIMITS.part} bytes`)
    }
    if (index * LIMITS.part + bytes.length > this.#maxBytes) throw this.#tooLarge()
    await this.#space.require()
    const blob = await this.#ownBlob(blob_id, context)
    const sealed = await this.#store.seal(blob, index, bytes)
    const isNew = await this.#uow.in([blob.space_id]).write(async ({ blobs }) => {
      const upload = await blobs.lockOwn(blob_id, context.caller.user_id, 'share')
      if (!upload) throw noBlob()
      // A repeated request: the part is stored already.
      if (upload.finished_at !== null) return false
      return blobs.putPart({ blob_id, index, space_id: blob.space_id, size: bytes.length, sealed })
    })
    if (isNew) this.#hashes.add(blob_id, index, bytes)
    return {}
  }

  async finish({ blob_id, pieces, sha256 }: { blob_id: string; pieces: number; sha256: string }, context: UserContext) {
    const blob = await this.#ownBlob(blob_id, context)
    const expected = sha256.toLowerCase()
    if (blob.finished_at !== null) {
      if (blob.sha256 !== expected) throw new AppError('VALIDATION_ERROR', 'This upload was finished with another content')
      return { size: blob.size ?? 0 }
    }
    const size = await this.#completeSize(blob, pieces)
    if ((this.#hashes.take(blob_id, pieces) ?? (await this.#store.sha256(blob, pieces))) !== expected) {
      throw new AppError('VALIDATION_ERROR', 'The SHA-256 does not fit what arrived; send the file again')
    }
    await this.#uow.in([blob.space_id]).write(async ({ blobs }) => {
      const upload = await blobs.lockOwn(blob_id, context.caller.user_id, 'update')
      if (!upload) throw noBlob()
      if (upload.finished_at === null) await blobs.finish(blob_id, { size, pieces, sha256: expected })
    })
    this.#hashes.drop(blob_id)
    return { size }
  }

  async read({ blob_id, index }: { blob_id: string; index: number }, context: UserContext): Promise<{ bytes: Uint8Array }> {
    const { all, shared } = await this.#access.readable(context)
    const blob = await this.#uow.in(all, shared).read(({ blobs }) => blobs.readable(blob_id, context.caller.user_id))
    if (!blob || blob.finished_at === null || index >= (blob.pieces ?? 0)) throw noBlob()
    return { bytes: await this.#store.part(blob, index) }
  }

  async #completeSize(blob: BlobRow, pieces: number): Promise<number> {
    const rows = await this.#uow.in([blob.space_id]).read(({ blobs }) => blobs.partSizes(blob.id))
    const complete = rows.every(({ index, size }, at) => index === at && (size === LIMITS.part || at === rows.length - 1))
    if (rows.length !== pieces || !complete) {
      throw new AppError(
        'VALIDATION_ERROR',
        `Of ${pieces} pieces, ${rows.length} arrived whole; send the missing ones, then finish again`,
      )
    }
    return rows.reduce((total, { size }) => total + size, 0)
  }

  async #ownBlob(blobId: string, context: UserContext): Promise<BlobRow> {
    const spaces = await this.#access.of(context)
    const blob = await this.#uow.in(spaces.ids).read(({ blobs }) => blobs.get(blobId))
    if (!blob || blob.user_id !== context.caller.user_id) throw noBlob()
    return blob
  }

  get #maxBytes(): number {
    return this.#maxFileMb * 1024 * 1024
  }

  #tooLarge(): AppError {
    return new AppError('PAYLOAD_TOO_LARGE', `A file may have at most ${this.#maxFileMb} MB (INGEST__MAX_FILE_MB)`)
  }
}

const tooManyUnused = () =>
  new AppError('PAYLOAD_TOO_LARGE', `You have ${MAX_UNUSED} uploads that no run uses; start a run with them or wait an hour`)

const noBlob = () => new AppError('BLOB_NOT_FOUND', 'There is no such upload or file of yours')
