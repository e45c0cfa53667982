import type { Logger } from '@youworker/runtime/logger'

const HOUR_MS = 3_600_000

/** Runs now and every hour; a failure is logged and the next hour tries again. Disposing waits for a running one. */
export function everyHour(work: () => Promise<void>, { what, logger }: { what: string; logger: Logger }): AsyncDisposable {
  let running: Promise<void> | undefined
  const run = () => {
    running ??= work()
      .catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it is tried again in an hour`))
      .finally(() => (running = undefined))
  }
  run()
  const timer = setInterval(run, HOUR_MS).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await running
    },
  }
}
