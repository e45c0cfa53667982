import { AppError } from '@youworker/contracts/errors'
import { ofThisRequest } from '@youworker/runtime/current-request'

export interface Turn {
  /** Who waits: callers take turns, so that what one sends delays another by one piece of work at most. */
  readonly caller: string
  /** Known callers have a queue of their own: strangers, however many, do not delay them. */
  readonly isKnown: boolean
  /** The work is left undone, and rejects with the reason, when this has aborted before its turn. */
  readonly signal: AbortSignal
}

/** Runs `work` when its turn comes. Throws `SERVICE_UNAVAILABLE` when too many wait already, or when its turn came too late. */
export type HashLimit = <T>(work: () => Promise<T>, turn: Turn) => Promise<T>

interface Bounds {
  /** Of each of the two queues. */
  readonly running: number
  readonly waiting: number
  /** Longest wait in ms, by default 4 s. */
  readonly waitMs?: number
}

/** Leaves time for the work itself: a request without an answer after 5 s ends without saying when to try again. */
const WAIT_MS = 4_000

/** For work that hashes a password: each argon2 takes 19 MiB and a core for about 25 ms. */
export function createHashLimit(bounds: Bounds): HashLimit {
  const [known, unknown] = [new FairQueue(bounds), new FairQueue(bounds)]
  return (work, { caller, isKnown, signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof work>>>()
    const asked = performance.now()
    // The queue is run by whoever found it idle, who has a deadline of their own.
    const run = ofThisRequest(async () => {
      signal.throwIfAborted()
      if (performance.now() - asked > (bounds.waitMs ?? WAIT_MS)) throw tooMany()
      resolve(await work())
    })
    ;(isKnown ? known : unknown).add(caller, { run: () => run().catch(reject), reject })
    return promise
  }
}

interface Waiting {
  readonly run: () => Promise<void>
  readonly reject: (reason: unknown) => void
}

/** Runs work of each caller in turn. When it is full, whoever has the most waiting gives way. */
class FairQueue {
  readonly #bounds: Bounds
  /** In the order of their turns. */
  readonly #callers = new Map<string, Waiting[]>()
  #waiting = 0
  #running = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  add(caller: string, work: Waiting): void {
    const own = this.#callers.get(caller) ?? []
    if (this.#waiting >= this.#bounds.waiting && !this.#dropFor(own.length + 1)) return work.reject(tooMany())
    own.push(work)
    this.#callers.set(caller, own)
    this.#waiting += 1
    if (this.#running < this.#bounds.running) void this.#run()
  }

  /** Drops the latest work of the caller with the most, when these are more than `size`. */
  #dropFor(size: number): boolean {
    const longest = [...this.#callers.values()].reduce((a, b) => (b.length > a.length ? b : a), [])
    if (longest.length <= size) return false
    longest.pop()?.reject(tooMany())
    this.#waiting -= 1
    return true
  }

  async #run(): Promise<void> {
    this.#running += 1
    for (let next = this.#take(); next; next = this.#take()) await next.run()
    this.#running -= 1
  }

  #take(): Waiting | undefined {
    const [first] = this.#callers
    if (!first) return undefined
    const [caller, works] = first
    this.#callers.delete(caller)
    const work = works.shift()
    this.#waiting -= 1
    if (works.length > 0) this.#callers.set(caller, works)
    return work
  }
}

const tooMany = () => new AppError('SERVICE_UNAVAILABLE', 'Too many sign-ins at once. Try again in a second.', { retryAfter: 1 })
