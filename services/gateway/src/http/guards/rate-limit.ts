import type { OutgoingHttpHeaders } from 'node:http'
import { AppError } from '@youworker/contracts/errors'
import { LRUCache } from 'lru-cache'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Per user, or per browser or address of anonymous clients. `burst` requests are accepted at once, after that `limit` per window. */
const LIMITS = {
  default: { limit: 100, burst: 120, windowMs: MINUTE },
  auth: { limit: 10, burst: 10, windowMs: MINUTE },
  chat: { limit: 60, burst: 60, windowMs: MINUTE },
  rotation: { limit: 3, burst: 3, windowMs: HOUR },
  upload: { limit: 20, burst: 20, windowMs: HOUR },
  /** Refused credentials, per browser or address. */
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
  /** The least recently used bucket is dropped first, so a client that goes on sending stays limited. */
  readonly #buckets = new LRUCache<string, Bucket>({ max: MAX_BUCKETS })

  constructor(mode: 'on' | 'generous' | 'off', now: () => number = Date.now) {
    this.#mode = mode
    this.#now = now
  }

  /** Takes one token; `undefined` when limits are off. `remaining` is -1 when the bucket was empty. */
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

  /** Whether the bucket is empty. */
  isSpent(name: LimitClass, who: string): boolean {
    if (this.#mode === 'off') return false
    const { burst, perMs } = this.#rule(name)
    const bucket = this.#buckets.get(`${name} ${who}`)
    return bucket !== undefined && Math.min(burst, bucket.tokens + (this.#now() - bucket.at) * perMs) < 1
  }

  /** The error for an empty bucket; `retryAfter` is the time until its next token, in seconds. */
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
    const bucket = { tokens: burst, at: now }
    this.#buckets.set(key, bucket)
    return bucket
  }
}

/** A full bucket holds a burst of more than `limit`; clients expect no more than that to remain. */
export const rateHeaders = ({ limit, remaining, reset }: RateState): OutgoingHttpHeaders => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(Math.min(limit, Math.max(0, remaining))),
  'x-ratelimit-reset': String(reset),
})
