import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@youworker/runtime/logger'

/** Runs `work` every `ms`, first after one such wait. Disposing waits for a run that is under way. */
export function every(
  ms: number,
  work: () => Promise<void>,
  { what, logger }: { what: string; logger: Logger },
): AsyncDisposable {
  const stop = new AbortController()
  const pause = () => sleep(ms, undefined, { signal: stop.signal, ref: false }).catch(() => undefined)
  const loop = async () => {
    for (await pause(); !stop.signal.aborted; await pause()) {
      await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it runs again in ${ms} ms`))
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
