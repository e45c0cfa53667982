import { setTimeout as sleep } from 'node:timers/promises'

interface Backoff {
  readonly baseMs?: number
  readonly maxMs?: number
}

interface RetryOptions extends Backoff {
  /** Number of tries, the first included. */
  readonly attempts?: number
  readonly signal?: AbortSignal | undefined
  readonly isRetryable?: (error: unknown) => boolean
}

/** Exponential backoff in ms, with jitter over the upper half; `attempt` counts from 1. */
export function backoffMs(attempt: number, { baseMs = 50, maxMs = 2_000 }: Backoff = {}): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** (attempt - 1))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

/** Repeats `fn` while `isRetryable` returns true for the error; rethrows the last error. */
export async function retry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { attempts = 3, signal, isRetryable = () => true } = options
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn(attempt)
    } catch (error) {
      if (attempt >= attempts || signal?.aborted === true || !isRetryable(error)) throw error
      await sleep(backoffMs(attempt, options), undefined, signal ? { signal } : {}).catch(() => {
        throw error
      })
    }
  }
}
