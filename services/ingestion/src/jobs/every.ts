import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@youworker/runtime/logger'

/** Repeats `work`, about `ms` apart so that replicas do not meet. Disposing waits for a run that is under way. */
export function every(
  ms: number,
  work: () => Promise<void>,
  { what, logger }: { what: string; logger: Logger },
): AsyncDisposable {
  const stop = new AbortController()
  const loop = async (): Promise<void> => {
    for (;;) {
      await sleep(ms * (0.75 + Math.random() / 2), undefined, { signal: stop.signal, ref: false }).catch(() => {})
      if (stop.signal.aborted) return
      await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it runs again later`))
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
