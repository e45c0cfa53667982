import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import { newId } from '@youworker/runtime/id'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore } from './blob-store.ts'

interface NewFile {
  readonly space_id: string
  readonly user_id: string
  readonly name: string
}

/** Stores what this service fetches itself. Holds one part in memory. */
export class StreamStore {
  readonly #uow: IngestionUnitOfWork
  readonly #store: BlobStore
  readonly #maxFileMb: number

  constructor(uow: IngestionUnitOfWork, store: BlobStore, maxFileMb: number) {
    this.#uow = uow
    this.#store = store
    this.#maxFileMb = maxFileMb
  }

  get maxBytes(): number {
    return this.#maxFileMb * 1024 * 1024
  }

  /** A file that no run has taken is swept after an hour, as an upload is. Returns the file and its first part. */
  async write(
    file: NewFile,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ blob: BlobRow; head: Uint8Array }> {
    const id = newId()
    const space = this.#uow.in([file.space_id])
    await space.write(({ blobs }) => blobs.add({ id, ...file, declared_size: null }))
    const hash = createHash('sha256')
    let head: Uint8Array = new Uint8Array()
    let size = 0
    let pieces = 0
    for await (const part of inParts(source, this.maxBytes)) {
      signal.throwIfAborted()
      if (pieces === 0) head = part
      hash.update(part)
      const index = pieces
      const sealed = await this.#store.seal({ id, space_id: file.space_id }, index, part)
      await space.write(({ blobs }) => blobs.putPart({ blob_id: id, index, space_id: file.space_id, size: part.length, sealed }))
      size += part.length
      pieces += 1
    }
    const blob = await space.write(async ({ blobs }) => {
      await blobs.finish(id, { size, pieces, sha256: hash.digest('hex') })
      return blobs.get(id)
    })
    if (!blob) throw new AppError('BLOB_NOT_FOUND', 'the file was erased while it was stored')
    return { blob, head }
  }
}

/** Pieces of exactly `LIMITS.part` bytes, but for the last one. */
async function* inParts(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let part = Buffer.allocUnsafe(LIMITS.part)
  let filled = 0
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > maxBytes) {
      throw new AppError(
        'PAYLOAD_TOO_LARGE',
        `the file has more than ${Math.floor(maxBytes / 1024 / 1024)} MB (INGEST__MAX_FILE_MB)`,
      )
    }
    for (let from = 0; from < chunk.length;) {
      const slice = chunk.subarray(from, from + LIMITS.part - filled)
      part.set(slice, filled)
      filled += slice.length
      from += slice.length
      if (filled < LIMITS.part) continue
      yield part
      part = Buffer.allocUnsafe(LIMITS.part)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
