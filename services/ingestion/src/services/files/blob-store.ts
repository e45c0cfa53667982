import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import { newId } from '@youworker/runtime/id'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'

/** The context of a part's seal: a part that was moved to another file or index does not open. */
const sealContext = (blobId: string, index: number) => ({ table: 'blob_pieces', id: `${blobId}:${index}` })

const READ_AHEAD = 4

export type OpenPart = (blob: Pick<BlobRow, 'id' | 'space_id'>, index: number, sealed: Buffer) => Buffer
type SpaceSealer = Awaited<ReturnType<Sealer['forSpace']>>
type StoredBlob = Pick<BlobRow, 'id' | 'space_id' | 'user_id' | 'name' | 'size' | 'pieces' | 'sha256'>

/** Reads and writes the sealed parts of files. Holds one part of a long file at a time. */
export class BlobStore {
  readonly #uow: IngestionUnitOfWork
  readonly #sealer: Sealer

  constructor(uow: IngestionUnitOfWork, sealer: Sealer) {
    this.#uow = uow
    this.#sealer = sealer
  }

  async seal(blob: Pick<BlobRow, 'id' | 'space_id'>, index: number, bytes: Uint8Array): Promise<Buffer> {
    const space = await this.#sealer.forSpace(blob.space_id)
    return space.seal(bytes, sealContext(blob.id, index))
  }

  /** Throws `BLOB_NOT_FOUND` when there is no such part. */
  async part(blob: Pick<BlobRow, 'id' | 'space_id'>, index: number): Promise<Buffer> {
    const sealed = await this.#uow.in([blob.space_id]).read(({ blobs }) => blobs.part(blob.id, index))
    if (!sealed) throw new AppError('BLOB_NOT_FOUND', 'There is no such part of this file')
    const space = await this.#sealer.forSpace(blob.space_id)
    return space.open(sealed, sealContext(blob.id, index))
  }

  /** Fetches the keys of the spaces now, so that the returned function needs no database connection. */
  async partOpener(spaceIds: readonly string[]): Promise<OpenPart> {
    const keys = new Map<string, SpaceSealer>()
    for (const id of new Set(spaceIds)) keys.set(id, await this.#sealer.forSpace(id))
    return (blob, index, sealed) => {
      const space = keys.get(blob.space_id)
      if (!space) throw new AppError('BLOB_NOT_FOUND', 'There is no such upload of yours')
      return space.open(sealed, sealContext(blob.id, index))
    }
  }

  /** Reads what is short now, and parts of anything longer when they are asked for. */
  async openAll(blobs: readonly StoredBlob[]): Promise<(blob: StoredBlob, signal: AbortSignal) => AsyncGenerator<Uint8Array>> {
    const spaces = [...new Set(blobs.map(({ space_id }) => space_id))]
    const short = blobs.filter(({ pieces }) => pieces === 1).map(({ id }) => id)
    const open = await this.partOpener(spaces)
    const first =
      short.length === 0 ? new Map<string, Buffer>() : await this.#uow.in(spaces).read((repos) => repos.blobs.firstParts(short))
    const part = this.part.bind(this)
    return async function* partsOf(blob, signal) {
      for (let index = 0; index < (blob.pieces ?? 0); index += 1) {
        signal.throwIfAborted()
        const sealed = first.get(blob.id)
        yield sealed ? open(blob, index, sealed) : await part(blob, index)
      }
    }
  }

  /** Reads the parts, some of them ahead. */
  async sha256(blob: Pick<BlobRow, 'id' | 'space_id'>, parts: number): Promise<string> {
    const hash = createHash('sha256')
    for (let from = 0; from < parts; from += READ_AHEAD) {
      const indexes = Array.from({ length: Math.min(READ_AHEAD, parts - from) }, (_, at) => from + at)
      for (const bytes of await Promise.all(indexes.map((index) => this.part(blob, index)))) hash.update(bytes)
    }
    return hash.digest('hex')
  }

  /** For a file that was uploaded before its group was known. The copy is marked as used; the sweep erases it if no document refers to it. */
  async copyTo(blob: StoredBlob, spaceId: string, signal: AbortSignal): Promise<string> {
    const copy = { id: newId(), space_id: spaceId, user_id: blob.user_id, name: blob.name, declared_size: blob.size }
    const space = this.#uow.in([spaceId])
    await space.write(async ({ blobs }) => {
      await blobs.add(copy)
      await blobs.markUsed([copy.id])
    })
    for (let index = 0; index < (blob.pieces ?? 0); index += 1) {
      signal.throwIfAborted()
      const bytes = await this.part(blob, index)
      const sealed = await this.seal(copy, index, bytes)
      await space.write(({ blobs }) => blobs.putPart({ blob_id: copy.id, index, space_id: spaceId, size: bytes.length, sealed }))
    }
    const { size, pieces, sha256 } = blob
    await space.write(({ blobs }) => blobs.finish(copy.id, { size: size ?? 0, pieces: pieces ?? 0, sha256: sha256 ?? '' }))
    return copy.id
  }
}
