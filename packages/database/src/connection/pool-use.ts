import { metrics } from '@youworker/runtime/health/metrics'
import type { Note } from '@youworker/runtime/health/health-report'
import type { Logger } from '@youworker/runtime/logger'
import { Sampler } from '@youworker/runtime/timing/sampler'
import type pg from 'pg'
import type { ConnectionQueue } from './connection-queue.ts'

const SAMPLE_MS = 5_000
/** Share of the connections in use from which on somebody should do something. */
const NEARLY_ALL = 0.9

interface Options {
  readonly schema: string
  /** Connections that stay open; those beyond are closed when they are idle. */
  readonly poolSize: number
  readonly logger: Logger
}

/** Watches how many connections of a pool are in use. */
export class PoolUse implements Disposable {
  readonly #pool: pg.Pool
  readonly #queue: ConnectionQueue
  readonly #options: Options
  readonly #told = new Sampler({ windowMs: 60_000, perGroup: 1, total: 1 })
  readonly #sampling: NodeJS.Timeout

  constructor(pool: pg.Pool, queue: ConnectionQueue, options: Options) {
    this.#pool = pool
    this.#queue = queue
    this.#options = options
    metrics.dbPoolMax.labels(options.schema).set(pool.options.max)
    this.#sampling = setInterval(() => this.#sample(), SAMPLE_MS).unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampling)
  }

  /** To be called whenever a connection is wanted: warns, once a minute, when nearly all are then in use. */
  wanted(): void {
    if (!this.#isNearlyUsedUp(this.#queue.active + this.#queue.waiting + 1) || !this.#told.take('', '')) return
    this.#options.logger.warn(this.#figures(), `nearly all connections to Postgres are in use; ${ADVICE}`)
  }

  /** For health reports: a restriction when nearly all are in use. */
  describe(): string | Note {
    const { active, max, waiting } = this.#figures()
    const text = `${active} of ${max} connections in use, ${waiting} waits for one`
    return this.#isNearlyUsedUp(active) ? `${text}; ${ADVICE}` : { note: text }
  }

  /** One connection that is used all the time is what a command has, and no shortage. */
  #isNearlyUsedUp(active: number): boolean {
    const { max } = this.#pool.options
    return max > 1 && active >= max * NEARLY_ALL
  }

  #figures() {
    const { idleCount: idle, options } = this.#pool
    return { active: this.#queue.active, idle, waiting: this.#queue.waiting, max: options.max }
  }

  #sample(): void {
    const { schema, poolSize } = this.#options
    const { active, idle, waiting } = this.#figures()
    metrics.dbPoolActive.labels(schema).set(active)
    metrics.dbPoolIdle.labels(schema).set(idle)
    metrics.dbPoolWaiting.labels(schema).set(waiting)
    const surplus = Math.min(idle, this.#pool.totalCount - poolSize)
    for (let n = 0; n < surplus; n += 1) void this.#closeIdle()
  }

  /** The pool hands out idle connections first. */
  async #closeIdle(): Promise<void> {
    await this.#pool.connect().then(
      (client) => client.release(true),
      () => {},
    )
  }
}

const ADVICE = 'raise DATABASE__POOL_SIZE or DATABASE__MAX_OVERFLOW, or add replicas'
