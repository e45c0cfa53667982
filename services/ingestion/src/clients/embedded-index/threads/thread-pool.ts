import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { type Job, PoolThread } from './pool-thread.ts'

interface PoolOptions {
  /** The module that each thread runs; it answers every `ThreadRequest` with a `ThreadReply`. */
  readonly script: URL
  readonly data: unknown
  /** At least 2. */
  readonly size: number
  /** More calls than these that wait for one key are refused. */
  readonly maxWaiting: number
  /** Whether a call is made once more when its thread ended. */
  readonly isRepeatable: boolean
  readonly logger: Logger
}

interface CallOptions {
  /** In ms; afterwards the call is neither waited for nor worked on. */
  readonly timeoutMs: number
  /** Takes a moment only: goes before the others and may use a thread of another key's half. */
  readonly isShort?: boolean
}

const LAST_ID = 2 ** 31 - 1
/** Longer waits overflow a timer. */
const LONGEST_MS = LAST_ID

/**
 * Threads that start when they are needed. The calls of one key use at most half of them, and keys take turns, so that one key that is
 * asked much and slowly leaves room for the others.
 */
export class ThreadPool {
  readonly #options: PoolOptions
  /** In the order of their turns. */
  readonly #waiting = new Map<string, Job[]>()
  readonly #threads = new Set<PoolThread>()
  #lastId = 0
  #stopped = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Rejects with `SERVICE_UNAVAILABLE` when too many wait and with `DEADLINE_EXCEEDED` when the time is over. */
  run(key: string, call: unknown, { timeoutMs, isShort = false }: CallOptions): Promise<unknown> {
    if (this.#stopped) return Promise.reject(new Error('the process is stopping'))
    if (timeoutMs <= 0) return Promise.reject(late())
    const queue = this.#waiting.get(key) ?? []
    if (queue.length >= this.#options.maxWaiting) return Promise.reject(busy())
    this.#lastId = (this.#lastId % LAST_ID) + 1
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const job: Job = { id: this.#lastId, key, call, isShort, triesLeft: this.#options.isRepeatable ? 2 : 1, resolve, reject }
    if (isShort) queue.unshift(job)
    else queue.push(job)
    this.#waiting.set(key, queue)
    this.#dispatch()
    if (timeoutMs > LONGEST_MS) return promise
    const timer = setTimeout(() => this.#expire(job), timeoutMs)
    return promise.finally(() => clearTimeout(timer))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const queue of this.#waiting.values()) for (const { reject } of queue) reject(new Error('the process is stopping'))
    this.#waiting.clear()
    await Promise.all([...this.#threads].map((thread) => thread.end()))
  }

  #expire(job: Job): void {
    const queue = this.#waiting.get(job.key) ?? []
    this.#setQueue(
      job.key,
      queue.filter((each) => each !== job),
    )
    for (const thread of this.#threads) if (thread.job === job) thread.interrupt()
    job.reject(late())
  }

  #dispatch(): void {
    for (;;) {
      const job = this.#next()
      const thread = job && (this.#idle(job.key) ?? this.#start())
      if (!job || !thread) return
      const queue = this.#waiting.get(job.key) ?? []
      // The key goes to the end of the turns.
      this.#waiting.delete(job.key)
      this.#setQueue(job.key, queue.slice(1))
      thread.begin(job)
    }
  }

  /** The first call of the first key that may use another thread, when there is one. */
  #next(): Job | undefined {
    if (!this.#idle() && this.#threads.size >= this.#options.size) return undefined
    const half = Math.floor(this.#options.size / 2)
    for (const [key, [job]] of this.#waiting) if (job && (job.isShort || this.#running(key) < half)) return job
    return undefined
  }

  #running(key: string): number {
    return [...this.#threads].filter(({ job }) => job?.key === key).length
  }

  /** Rather one that has worked for the key. */
  #idle(key?: string): PoolThread | undefined {
    const idle = [...this.#threads].filter(({ job }) => job === undefined)
    return idle.find(({ lastKey }) => lastKey === key) ?? idle[0]
  }

  #start(): PoolThread {
    const { script, data, logger } = this.#options
    const thread = new PoolThread({
      script,
      data,
      onError: (error) => logger.error({ err: error }, 'a thread of the search index failed'),
      onFree: () => this.#dispatch(),
      onEnd: (job) => this.#ended(thread, job),
    })
    this.#threads.add(thread)
    return thread
  }

  #ended(thread: PoolThread, job: Job | undefined): void {
    this.#threads.delete(thread)
    if (job) {
      job.triesLeft -= 1
      if (job.triesLeft > 0 && !this.#stopped) this.#setQueue(job.key, [job, ...(this.#waiting.get(job.key) ?? [])])
      else job.reject(new Error('its thread ended'))
    }
    if (!this.#stopped) this.#dispatch()
  }

  #setQueue(key: string, queue: Job[]): void {
    if (queue.length > 0) this.#waiting.set(key, queue)
    else this.#waiting.delete(key)
  }
}

const late = () => new AppError('DEADLINE_EXCEEDED', 'The search index took too long; try again', { retryAfter: 1 })

const busy = () =>
  new AppError('SERVICE_UNAVAILABLE', 'Too many searches wait for the same documents; try again in a second', { retryAfter: 1 })
