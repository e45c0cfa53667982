import type { Logger } from '../logger.ts'
import { retry } from './retry.ts'

/** Repeats `work` until it succeeds once. Disposing waits for a running try. */
export function untilDone(work: () => Promise<void>, { what, logger }: { what: string; logger: Logger }): AsyncDisposable {
  const stop = new AbortController()
  const isRetryable = (error: unknown): boolean => {
    logger.warn({ err: error }, `${what} failed; trying again`)
    return true
  }
  const tries = { attempts: Infinity, baseMs: 200, maxMs: 2_000, signal: stop.signal, isRetryable }
  const done = retry(work, tries).catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}
