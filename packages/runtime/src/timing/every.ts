import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logger.ts'

interface EveryOptions {
  /** Name of the work in the log: `the sweep of old rows`. */
  readonly what: string
  readonly logger: Logger
}

/**
 * Repeats `work` about every `ms`, with jitter so that replicas do not run at the same time; the first run is after one such
 * pause. A failure is logged, and the next run tries again. Disposing waits for a running `work`.
 */
export function every(ms: number, work: () => Promise<void>, { what, logger }: EveryOptions): AsyncDisposable {
  const stop = new AbortController()
  const pause = () => sleep(ms * (0.75 + Math.random() / 2), undefined, { signal: stop.signal, ref: false }).catch(() => {})
  const loop = async () => {
    for (await pause(); !stop.signal.aborted; await pause()) {
      await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it is tried again in ${ms / 1_000} s`))
    }
  }
  const done = loop()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}
