import { createHash, type Hash } from 'node:crypto'
import { LIMITS } from '@youworker/contracts/limits'
import { LRUCache } from 'lru-cache'

const MAX_UPLOADS = 1_000

interface Running {
  readonly hash: Hash
  offset: number
}

/** SHA-256 of uploads as far as this process has seen their bytes; the rest is read when it is asked for. */
export class UploadHashes {
  readonly #running = new LRUCache<string, Running>({ max: MAX_UPLOADS })

  /** Bytes that were stored at `offset`. */
  add(blobId: string, offset: number, bytes: Uint8Array): void {
    const running = offset === 0 ? this.#begin(blobId) : this.#running.get(blobId)
    if (running?.offset === offset) forward(running, bytes)
  }

  /** Keeps how far it came when it throws, so that the same request goes on from there. */
  async of(blobId: string, size: number, read: (index: number) => Promise<Uint8Array>, signal: AbortSignal): Promise<string> {
    const running = this.#running.get(blobId) ?? this.#begin(blobId)
    while (running.offset < size) {
      signal.throwIfAborted()
      const from = running.offset
      const part = await read(Math.floor(from / LIMITS.part))
      // Two requests may read the same part.
      if (running.offset === from) forward(running, part.subarray(from % LIMITS.part))
    }
    return running.hash.copy().digest('hex')
  }

  drop(blobId: string): void {
    this.#running.delete(blobId)
  }

  #begin(blobId: string): Running {
    const running = { hash: createHash('sha256'), offset: 0 }
    this.#running.set(blobId, running)
    return running
  }
}

function forward(running: Running, bytes: Uint8Array): void {
  running.hash.update(bytes)
  running.offset += bytes.length
}
