import { Worker } from 'node:worker_threads'

/** One call, and who waits for it. */
export interface Job {
  readonly id: number
  readonly key: string
  readonly call: unknown
  readonly isShort: boolean
  triesLeft: number
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** What a thread is given when it starts. */
export interface ThreadData {
  /** One number: the id of the call that is not waited for any more. */
  readonly interrupted: Int32Array
  readonly data: unknown
}

export interface ThreadRequest {
  readonly id: number
  readonly key: string
  readonly call: unknown
}

export interface ThreadReply {
  readonly id: number
  readonly result: unknown
}

interface ThreadOptions {
  readonly script: URL
  readonly data: unknown
  readonly onError: (error: unknown) => void
  /** Called when it can take another call. */
  readonly onFree: () => void
  readonly onEnd: (job: Job | undefined) => void
}

/** A thread that nobody needs for so long ends. In ms. */
const IDLE_MS = 60_000

/** One thread, which works on one call at a time. */
export class PoolThread {
  readonly #worker: Worker
  readonly #interrupted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  readonly #onFree: () => void
  #job: Job | undefined
  #lastKey: string | undefined
  #idleTimer: NodeJS.Timeout | undefined

  constructor({ script, data, onError, onFree, onEnd }: ThreadOptions) {
    this.#onFree = onFree
    const workerData: ThreadData = { interrupted: this.#interrupted, data }
    this.#worker = new Worker(script, { workerData })
    this.#worker.on('message', (reply: ThreadReply) => this.#settle(reply))
    this.#worker.on('error', onError)
    this.#worker.on('exit', () => {
      clearTimeout(this.#idleTimer)
      const job = this.#job
      this.#job = undefined
      onEnd(job)
    })
    this.#worker.unref()
  }

  get job(): Job | undefined {
    return this.#job
  }

  /** Of the call that it worked on last: it remembers what it read for it. */
  get lastKey(): string | undefined {
    return this.#lastKey
  }

  begin(job: Job): void {
    this.#lastKey = job.key
    clearTimeout(this.#idleTimer)
    this.#job = job
    const request: ThreadRequest = { id: job.id, key: job.key, call: job.call }
    this.#worker.postMessage(request)
  }

  /** Ends the work on its call at the next point where the thread looks. */
  interrupt(): void {
    if (this.#job) Atomics.store(this.#interrupted, 0, this.#job.id)
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #settle({ id, result }: ThreadReply): void {
    const job = this.#job
    if (job?.id !== id) return
    this.#job = undefined
    job.resolve(result)
    this.#idleTimer = setTimeout(() => void this.end(), IDLE_MS).unref()
    this.#onFree()
  }
}
