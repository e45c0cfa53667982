import { createHash, type Hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

const MOST_UPLOADS = 500
const KEEP_MS = 900_000
/** A client sends a few parts side by side. More that came early means that parts go to other replicas, too. */
const MOST_EARLY = 8

interface Running {
  readonly hash: Hash
  next: number
  readonly early: Map<number, Uint8Array>
}

/** SHA-256 of uploads whose parts come to this process, made while they come, so that nothing is read again when they are finished. */
export class RunningHashes {
  readonly #uploads = new LRUCache<string, Running>({ max: MOST_UPLOADS, ttl: KEEP_MS })

  /** For each part once it is stored; a repeated one is not. */
  add(blobId: string, index: number, bytes: Uint8Array): void {
    const running = this.#uploads.get(blobId) ?? { hash: createHash('sha256'), next: 0, early: new Map() }
    running.early.set(index, bytes)
    for (let part = running.early.get(running.next); part; part = running.early.get(running.next)) {
      running.hash.update(part)
      running.early.delete(running.next)
      running.next += 1
    }
    if (running.early.size > MOST_EARLY) this.#uploads.delete(blobId)
    else this.#uploads.set(blobId, running)
  }

  /** `undefined` when not all of its parts came here. */
  take(blobId: string, parts: number): string | undefined {
    const running = this.#uploads.get(blobId)
    return running?.next === parts ? running.hash.copy().digest('hex') : undefined
  }

  drop(blobId: string): void {
    this.#uploads.delete(blobId)
  }
}
