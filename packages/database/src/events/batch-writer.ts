import { AppError } from '@youworker/contracts/errors'
import { detached } from '@youworker/runtime/current-request'

interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const MAX_BATCH = 200

/** One transaction for many items: what arrives while one is written goes into the next one together, in the order of arrival. */
export class BatchWriter<T> {
  readonly #writeItems: (items: readonly T[]) => Promise<void>
  #waiting: Waiting<T>[] = []
  #isWriting = false

  /** `write` writes all items in one transaction, or none of them. */
  constructor(write: (items: readonly T[]) => Promise<void>) {
    this.#writeItems = write
  }

  /** Resolves when the item is committed. */
  add(item: T): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ item, resolve, reject })
    // A batch belongs to no single request.
    if (!this.#isWriting) void detached(() => this.#writeAll())
    return promise
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true
    // What one pull of events brought arrives within one turn of the event loop.
    await new Promise(setImmediate)
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0, MAX_BATCH))
    this.#isWriting = false
  }

  /** An item that Postgres does not take must not keep out those that arrived with it. */
  async #write(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      await this.#writeItems(batch.map(({ item }) => item))
      for (const { resolve } of batch) resolve()
    } catch (error) {
      if (batch.length === 1 || isAway(error)) for (const { reject } of batch) reject(error)
      else for (const one of batch) await this.#write([one])
    }
  }
}

const isAway = (error: unknown): boolean =>
  error instanceof AppError && ['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN', 'DEADLINE_EXCEEDED'].includes(error.code)
