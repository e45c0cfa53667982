import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'

/** Where pieces go: the three upload requests of ingestion. */
export interface PieceStore {
  open(name: string): Promise<string>
  write(blobId: string, index: number, bytes: Uint8Array): Promise<unknown>
  finish(blobId: string, pieces: number, sha256: string): Promise<{ size: number }>
}

/** At most this many pieces of one request are on their way at once. */
const WINDOW = 4

/** Counts what is under way; remembers the first failure. */
export class Window {
  #running = new Set<Promise<void>>()
  #failure: unknown

  async add(start: () => Promise<unknown>): Promise<void> {
    while (this.#running.size >= WINDOW) await Promise.race(this.#running)
    this.#throwFailure()
    const work: Promise<void> = start().then(
      () => void this.#running.delete(work),
      (error: unknown) => {
        this.#failure ??= error
        this.#running.delete(work)
      },
    )
    this.#running.add(work)
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running)
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

interface FileLimits {
  readonly maxBytes: number
}

/** Cuts a stream into pieces of exactly `LIMITS.piece` bytes and writes them while it still comes in. Never holds more than one piece itself. */
export async function writePieces(
  blobId: string,
  source: AsyncIterable<Uint8Array>,
  store: PieceStore,
  window: Window,
  { maxBytes }: FileLimits,
): Promise<{ size: number }> {
  const hash = createHash('sha256')
  let piece = Buffer.allocUnsafe(LIMITS.piece)
  let filled = 0
  let index = 0
  let size = 0
  const flush = async () => {
    const bytes = piece.subarray(0, filled)
    const at = index++
    piece = Buffer.allocUnsafe(LIMITS.piece)
    filled = 0
    await window.add(() => store.write(blobId, at, bytes))
  }
  for await (const chunk of source) {
    hash.update(chunk)
    size += chunk.length
    if (size > maxBytes) throw tooLargeFile(maxBytes)
    for (let from = 0; from < chunk.length;) {
      const part = chunk.subarray(from, from + LIMITS.piece - filled)
      piece.set(part, filled)
      filled += part.length
      from += part.length
      if (filled === LIMITS.piece) await flush()
    }
  }
  if (filled > 0) await flush()
  await window.settled()
  return store.finish(blobId, index, hash.digest('hex'))
}

const tooLargeFile = (maxBytes: number): AppError =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `A file may have at most ${Math.floor(maxBytes / 1024 / 1024)} MB; split it or raise INGEST__MAX_FILE_MB`,
  )
