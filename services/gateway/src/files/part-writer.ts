import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import pLimit from 'p-limit'

/** Fields of a form in their order; names repeat. */
export type FormFields = readonly (readonly [name: string, value: string])[]

/** Where files are stored: the upload requests of ingestion. */
export interface PartStore {
  /** A file of at most one part, in one request. `fields`: those of the form that came before the file. */
  store(name: string, fields: FormFields, bytes: Uint8Array): Promise<string>
  create(name: string, fields: FormFields): Promise<string>
  write(blobId: string, index: number, bytes: Uint8Array): Promise<unknown>
  finish(blobId: string, parts: number, sha256: string): Promise<{ size: number }>
}

/** At most this many parts of one request are being written at the same time. */
const PARTS_IN_FLIGHT = 4

/** Runs the writes of one request. After the first failure no further write begins. */
export class WriteQueue {
  readonly #limit = pLimit(PARTS_IN_FLIGHT)
  readonly #failed = new AbortController()

  /** Resolves when the write has begun: a reader that waits for it holds one part at most. Throws the first failure. */
  async begin(write: () => Promise<unknown>): Promise<{ readonly done: Promise<unknown> }> {
    const { promise: begun, resolve } = Promise.withResolvers<void>()
    const done = this.#limit(async () => {
      resolve()
      this.#failed.signal.throwIfAborted()
      await write().catch((error: unknown) => {
        this.#failed.abort(error)
        throw error
      })
    })
    // `writeParts` may throw before it awaits `done`: the rejection must not be an unhandled one.
    done.catch(() => undefined)
    await begun
    this.#failed.signal.throwIfAborted()
    return { done }
  }
}

export interface WriteOptions {
  readonly store: PartStore
  readonly queue: WriteQueue
  readonly maxBytes: number
}

/** Cuts a stream into parts of exactly `LIMITS.part` bytes, and the last of what is left. Holds one part; `onBytes` sees everything first. */
async function* partsOf(source: AsyncIterable<Uint8Array>, onBytes: (bytes: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  let part = Buffer.allocUnsafe(LIMITS.part)
  let filled = 0
  for await (const chunk of source) {
    onBytes(chunk)
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

/** Stores a file while it is read and resolves to its id: one that is short with one request, any other one in parts. */
export async function writeFile(
  { name, fields, source }: { name: string; fields: FormFields; source: AsyncIterable<Uint8Array> },
  { store, queue, maxBytes }: WriteOptions,
): Promise<string> {
  const hash = createHash('sha256')
  let size = 0
  const parts = partsOf(source, (bytes) => {
    size += bytes.length
    if (size > maxBytes) throw tooLargeFile(maxBytes)
    hash.update(bytes)
  })
  const writes: Promise<unknown>[] = []
  let blobId: string | undefined
  for await (const bytes of parts) {
    // The last part of a file is the only one that is not full.
    if (writes.length === 0 && bytes.length < LIMITS.part) return storeWhole(queue, () => store.store(name, fields, bytes))
    const id = (blobId ??= await store.create(name, fields))
    const index = writes.length
    writes.push((await queue.begin(() => store.write(id, index, bytes))).done)
  }
  if (blobId === undefined) return storeWhole(queue, () => store.store(name, fields, new Uint8Array()))
  await Promise.all(writes)
  await store.finish(blobId, writes.length, hash.digest('hex'))
  return blobId
}

async function storeWhole(queue: WriteQueue, write: () => Promise<string>): Promise<string> {
  let blobId = ''
  await (
    await queue.begin(async () => (blobId = await write()))
  ).done
  return blobId
}

const tooLargeFile = (maxBytes: number): AppError =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `A file may have at most ${Math.floor(maxBytes / 1024 / 1024)} MB; split it or raise INGEST__MAX_FILE_MB`,
  )
