import { setTimeout as sleep } from 'node:timers/promises'
import { detached } from '@youworker/runtime/current-request'
import type { Logger } from '@youworker/runtime/logger'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { bucketOf, EVERYTHING } from './knowledge-buckets.ts'

/** Ingestion keeps who may read what at most this long, should it miss that it has changed. */
const RIGHTS_KEPT_MS = 5_000
const RETRY_MS = 500

/**
 * Notes when what can be found in a space has changed: an answer that was begun before is out of date. Each process hears all changes and
 * notes them by the clock of the database, so what it has heard before it looks for an answer counts, whatever the others do.
 */
export class KnowledgeChanges implements AsyncDisposable {
  readonly #uow: ChatAgentUnitOfWork
  readonly #logger: Logger
  /** By bucket: for how long answers that are begun from now on may still know what was before, in ms. */
  #pending = new Map<number, number>()
  #writing: Promise<void> | undefined
  #isBehind = false
  readonly #stop = new AbortController()

  constructor(uow: ChatAgentUnitOfWork, logger: Logger) {
    this.#uow = uow
    this.#logger = logger
  }

  documentsChanged(spaceId: string): void {
    this.#note(bucketOf(spaceId), 0)
  }

  /** What the user may read, or who may read the group's space. */
  rightsChanged(id: string): void {
    this.#note(bucketOf(id), RIGHTS_KEPT_MS)
  }

  /** From now on it hears of changes. */
  began(): void {
    this.#note(EVERYTHING, 0)
  }

  /** Some may have been missed, here and by others. */
  missed(): void {
    this.#note(EVERYTHING, RIGHTS_KEPT_MS)
  }

  /** Whether all that was heard is noted: waits for what is being noted now. */
  async settled(): Promise<boolean> {
    if (!this.#isBehind) await this.#writing
    return this.#writing === undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#writing
  }

  #note(bucket: number, ms: number): void {
    this.#pending.set(bucket, Math.max(ms, this.#pending.get(bucket) ?? 0))
    // What waits for it belongs to no request.
    this.#writing ??= detached(() => this.#writeAll()).finally(() => (this.#writing = undefined))
  }

  async #writeAll(): Promise<void> {
    await new Promise(setImmediate)
    while (this.#pending.size > 0 && !this.#stop.signal.aborted) {
      const changes = this.#pending
      this.#pending = new Map()
      try {
        await this.#uow.in([]).write(({ knowledge }) => knowledge.changed(changes))
        this.#isBehind = false
      } catch (error) {
        if (!this.#isBehind)
          this.#logger.warn({ err: error }, 'changes of documents could not be noted: no answer is given again')
        this.#isBehind = true
        for (const [bucket, ms] of changes) this.#pending.set(bucket, Math.max(ms, this.#pending.get(bucket) ?? 0))
        await sleep(RETRY_MS, undefined, { signal: this.#stop.signal }).catch(() => {})
      }
    }
  }
}
