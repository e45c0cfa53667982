import type { IncomingMessage } from 'node:http'

interface OpenAppend {
  readonly incoming: IncomingMessage
  readonly done: Promise<unknown>
}

/**
 * Requests of this gateway that add to an upload. A client that comes back behind a cut would else ask where its upload ends while what
 * came before the cut is still being stored.
 */
export class OpenAppends {
  readonly #open = new Map<string, OpenAppend>()

  /** Ends a request that adds, whose client may be gone without a word, and waits until nothing of it is being stored any more. */
  async end(uploadId: string): Promise<void> {
    const other = this.#open.get(uploadId)
    other?.incoming.destroy()
    await Promise.allSettled([other?.done])
  }

  /** Ends an older request for the same upload before `work` begins. */
  async run<T>(uploadId: string, incoming: IncomingMessage, work: () => Promise<T>): Promise<T> {
    await this.end(uploadId)
    const done = work()
    const mine = { incoming, done }
    this.#open.set(uploadId, mine)
    try {
      return await done
    } finally {
      if (this.#open.get(uploadId) === mine) this.#open.delete(uploadId)
    }
  }
}
