import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@youworker/runtime/logger'
import { backoffMs } from '@youworker/runtime/retry'

interface Background {
  readonly what: string
  readonly logger: Logger
}

/** Repeats `work` until it succeeds once. Disposing waits for a try that is under way. */
export function untilDone(work: () => Promise<void>, { what, logger }: Background): AsyncDisposable {
  return run(async (signal) => {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        logger.warn({ err: error, attempt }, `${what} did not work yet; trying again`)
        await pause(backoffMs(attempt, { baseMs: 200, maxMs: 2_000 }), signal)
      }
    }
  })
}

/** Runs `work` every `ms`, first after one such wait. Disposing waits for a run that is under way. */
export function every(ms: number, work: () => Promise<void>, { what, logger }: Background): AsyncDisposable {
  return run(async (signal) => {
    for (;;) {
      await pause(ms, signal)
      if (signal.aborted) return
      await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it runs again in ${ms} ms`))
    }
  })
}

function run(loop: (signal: AbortSignal) => Promise<void>): AsyncDisposable {
  const stop = new AbortController()
  const done = loop(stop.signal)
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
