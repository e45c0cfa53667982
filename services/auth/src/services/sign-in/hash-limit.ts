import { AppError } from '@youworker/contracts/errors'
import pLimit from 'p-limit'

/**
 * Runs `work` when its turn comes, or rejects with the reason of `signal` if that has aborted by then. Throws
 * `SERVICE_UNAVAILABLE` when too many wait already.
 */
export type HashLimit = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>

/** For work that hashes a password: each argon2 takes 19 MiB and a core for about 25 ms. */
export function createHashLimit({ running, waiting }: { running: number; waiting: number }): HashLimit {
  const limit = pLimit(running)
  return async (work, signal) => {
    if (limit.activeCount + limit.pendingCount >= running + waiting) {
      throw new AppError('SERVICE_UNAVAILABLE', 'Too many sign-ins at once. Try again in a second.', { retryAfter: 1 })
    }
    return limit(() => {
      signal.throwIfAborted()
      return work()
    })
  }
}
