import type { DataDir } from '../data-dir/data-dir.ts'
import type { SupervisedProcess } from './supervised-process.ts'
import { isReadyWithTools, waitUntilReady } from './wait-until-ready.ts'

/**
 * Throws the {@link StartError} of the first process that does not become ready, at once: others may be waiting for it, and would
 * only say so.
 */
export async function waitUntilAllReady(
  processes: readonly SupervisedProcess[],
  data: DataDir,
  signal: AbortSignal,
): Promise<void> {
  const giveUp = new AbortController()
  const ended = AbortSignal.any([signal, giveUp.signal])
  await untilFirstError(
    processes.map((process) => waitUntilReady(process, data, ended, isReadyWithTools)),
    () => giveUp.abort(),
  )
}

/** Waits for all, so that nothing is still under way when the rest is stopped. Throws what failed first. */
export async function untilFirstError(work: readonly Promise<unknown>[], onError?: () => void): Promise<void> {
  const failures: unknown[] = []
  const onFailure = (error: unknown) => {
    failures.push(error)
    onError?.()
  }
  await Promise.all(work.map((one) => one.catch(onFailure)))
  if (failures.length > 0) throw failures[0]
}
