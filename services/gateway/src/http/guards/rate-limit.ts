import type { OutgoingHttpHeaders } from 'node:http'
import { AppError } from '@youworker/contracts/errors'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Per user, or per address while anonymous. `burst` may come at once; after that `limit` come per window. */
const LIMITS = {
  default: { limit: 100, burst: 120, windowMs: MINUTE },
  auth: { limit: 10, burst: 10, windowMs: MINUTE },
  chat: { limit: 60, burst: 60, windowMs: MINUTE },
  upload: { limit: 20, burst: 20, windowMs: HOUR },
  /** Credentials that turned out wrong. */
  failure: { limit: 100, burst: 120, windowMs: MINUTE },
} as const
export type LimitClass = keyof typeof LIMITS

const GENEROUS = 100
const MAX_BUCKETS = 50_000

export interface RateState {
  readonly limit: number
  readonly remaining: number
  /** Epoch seconds at which the bucket is full again. */
  readonly reset: number
}

interface Bucket {
  tokens: number
  at: number
}

/** Token buckets of one process. */
export class RateLimiter {
  readonly #mode: 'on' | 'generous' | 'off'
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(mode: 'on' | 'generous' | 'off', now: () => number = Date.now) {
    this.#mode = mode
    this.#now = now
  }

  /** Takes one token; `undefined` when limits are off. A `remaining` of -1 means that there was none. */
  take(name: LimitClass, who: string): RateState | undefined {
    if (this.#mode === 'off') return undefined
    const { limit, burst, perMs } = this.#rule(name)
    const now = this.#now()
    const bucket = this.#bucket(`${name} ${who}`, burst, perMs, now)
    const taken = bucket.tokens >= 1
    if (taken) bucket.tokens -= 1
    const reset = Math.ceil((now + (burst - bucket.tokens) / perMs) / 1_000)
    return { limit, remaining: taken ? Math.floor(bucket.tokens) : -1, reset }
  }

  /** Whether the next `take` would find nothing. */
  isSpent(name: LimitClass, who: string): boolean {
    if (this.#mode === 'off') return false
    const { burst, perMs } = this.#rule(name)
    const bucket = this.#buckets.get(`${name} ${who}`)
    return bucket !== undefined && Math.min(burst, bucket.tokens + (this.#now() - bucket.at) * perMs) < 1
  }

  /** Seconds until one token is there again, for an empty bucket. */
  refusal(name: LimitClass): AppError {
    const retryAfter = Math.ceil(1 / this.#rule(name).perMs / 1_000)
    return new AppError('RATE_LIMIT_EXCEEDED', `Too many requests; try again in ${retryAfter} s`, { retryAfter })
  }

  #rule(name: LimitClass): { limit: number; burst: number; perMs: number } {
    const { limit, burst, windowMs } = LIMITS[name]
    const times = this.#mode === 'generous' ? GENEROUS : 1
    return { limit: limit * times, burst: burst * times, perMs: (limit * times) / windowMs }
  }

  #bucket(key: string, burst: number, perMs: number, now: number): Bucket {
    const known = this.#buckets.get(key)
    if (known) {
      known.tokens = Math.min(burst, known.tokens + Math.max(0, now - known.at) * perMs)
      known.at = now
      return known
    }
    if (this.#buckets.size >= MAX_BUCKETS) this.#makeRoom(now)
    const bucket = { tokens: burst, at: now }
    this.#buckets.set(key, bucket)
    return bucket
  }

  /** Buckets untouched for a window are full again, so forgetting them changes nothing; else the oldest tenth goes. */
  #makeRoom(now: number): void {
    for (const [key, { at }] of this.#buckets) if (now - at > HOUR) this.#buckets.delete(key)
    const excess = this.#buckets.size - MAX_BUCKETS * 0.9
    let dropped = 0
    for (const key of this.#buckets.keys()) {
      if (dropped++ >= excess) break
      this.#buckets.delete(key)
    }
  }
}

export const rateHeaders = ({ limit, remaining, reset }: RateState): OutgoingHttpHeaders => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(Math.max(0, remaining)),
  'x-ratelimit-reset': String(reset),
})
