import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import pLimit from 'p-limit'

/** Fields of a form in their order; names repeat. */
export type FormFields = readonly (readonly [name: string, value: string])[]

/** Where parts are stored: the three upload requests of ingestion. */
export interface PartStore {
  /** `fields`: those of the form that came before the file. */
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

/** Cuts a stream into parts of exactly `LIMITS.part` bytes and writes them while it is read. Holds one part itself. */
export async function writeParts(
  blobId: string,
  source: AsyncIterable<Uint8Array>,
  { store, queue, maxBytes }: WriteOptions,
): Promise<{ size: number }> {
  const hash = createHash('sha256')
  const writes: Promise<unknown>[] = []
  let part = Buffer.allocUnsafe(LIMITS.part)
  let filled = 0
  let size = 0
  const flush = async () => {
    const bytes = part.subarray(0, filled)
    part = Buffer.allocUnsafe(LIMITS.part)
    filled = 0
    const index = writes.length
    const { done } = await queue.begin(() => store.write(blobId, index, bytes))
    writes.push(done)
  }
  for await (const chunk of source) {
    hash.update(chunk)
    size += chunk.length
    if (size > maxBytes) throw tooLargeFile(maxBytes)
    for (let from = 0; from < chunk.length;) {
      const slice = chunk.subarray(from, from + LIMITS.part - filled)
      part.set(slice, filled)
      filled += slice.length
      from += slice.length
      if (filled === LIMITS.part) await flush()
    }
  }
  if (filled > 0) await flush()
  await Promise.all(writes)
  return store.finish(blobId, writes.length, hash.digest('hex'))
}

const tooLargeFile = (maxBytes: number): AppError =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `A file may have at most ${Math.floor(maxBytes / 1024 / 1024)} MB; split it or raise INGEST__MAX_FILE_MB`,
  )
