import type pg from 'pg'

/** A connection beyond the usual number is opened for who has waited this long. In ms. */
const OVERFLOW_AFTER_MS = 100

interface Options {
  /** Connections that are opened without waiting for one to be given back. */
  readonly poolSize: number
  /** True when the server takes no connection more, but those that are open go on. */
  readonly isFull: (error: unknown) => boolean
}

interface Waiter {
  /** True when a connection is being opened for this one. */
  isOpening: boolean
  /** What a full server said. */
  refusal: unknown
  readonly resolve: (client: pg.PoolClient) => void
  readonly reject: (error: unknown) => void
}

/**
 * Hands out the connections of a pool in the order in which they were asked for. Who waits gets whichever is there first:
 * a new connection or one that was given back. (`pg.Pool` binds a caller to the connection that is opened for him.)
 */
export class ConnectionQueue {
  readonly #pool: pg.Pool
  readonly #options: Options
  readonly #waiters = new Set<Waiter>()
  #opening = 0
  #fetching = 0

  constructor(pool: pg.Pool, options: Options) {
    this.#pool = pool
    this.#options = options
    // The event comes before the connection counts as idle.
    pool.on('release', () => process.nextTick(() => this.#serve()))
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Connections that work for somebody. */
  get active(): number {
    return Math.max(0, this.#pool.totalCount - this.#pool.idleCount - this.#opening)
  }

  /** Rejects when no connection is free within `limitMs` (with `late()`, or what a full server said) or can be opened. */
  take(limitMs: number, late: () => Error): Promise<pg.PoolClient> {
    const { promise, resolve, reject } = Promise.withResolvers<pg.PoolClient>()
    const endsAt = performance.now() + limitMs
    const end = () => {
      clearTimeout(timer)
      this.#waiters.delete(waiter)
    }
    const waiter: Waiter = {
      isOpening: false,
      refusal: undefined,
      resolve: (client) => (end(), resolve(client)),
      reject: (error) => (end(), reject(error)),
    }
    const giveUp = () => waiter.reject(waiter.refusal ?? late())
    const overflow = () => {
      // Node warns of a time that is past, as it is after a busy moment.
      timer = setTimeout(giveUp, Math.max(0, endsAt - performance.now()))
      if (!waiter.isOpening && this.#pool.totalCount < this.#pool.options.max) this.#open(waiter)
    }
    let timer = limitMs > OVERFLOW_AFTER_MS ? setTimeout(overflow, OVERFLOW_AFTER_MS) : setTimeout(giveUp, limitMs)
    this.#waiters.add(waiter)
    this.#serve()
    return promise
  }

  #serve(): void {
    while (this.#fetching < Math.min(this.waiting, this.#pool.idleCount)) this.#fetch()
    let served = this.#fetching
    for (const waiter of this.#waiters) {
      if (this.#pool.totalCount >= this.#options.poolSize) break
      if (served > 0) served -= 1
      else if (!waiter.isOpening) this.#open(waiter)
    }
  }

  /** Takes an idle connection, which the pool gives in the next tick. */
  #fetch(): void {
    this.#fetching += 1
    this.#pool.connect((_error, client) => {
      this.#fetching -= 1
      if (client === undefined) this.#serve()
      else this.#give(client)
    })
  }

  #open(waiter: Waiter): void {
    waiter.isOpening = true
    this.#opening += 1
    this.#pool.connect((error, client) => {
      this.#opening -= 1
      if (client !== undefined) return this.#give(client)
      if (this.#options.isFull(error) && this.#pool.totalCount > 0) {
        waiter.refusal = error
        return
      }
      waiter.reject(error)
      this.#serve()
    })
  }

  #give(client: pg.PoolClient): void {
    const [first] = this.#waiters
    if (first === undefined) client.release()
    else first.resolve(client)
  }
}
