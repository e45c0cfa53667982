import { AppError } from '@youworker/contracts/errors'
import { metrics } from '../health/metrics.ts'

const OPEN_AFTER = 5
const WITHIN_MS = 10_000
const PROBE_AFTER_MS = 5_000

/** Disposing it takes it out of the metrics: its target is no longer used. */
export interface Breaker extends Disposable {
  /** Runs `fn`, or throws `CIRCUIT_OPEN` at once while the target is known to be down. */
  run<T>(fn: () => Promise<T>): Promise<T>
  /** Runs `fn` in any case, for health checks: when it succeeds the target is back at once, when it fails nothing is counted. */
  probe<T>(fn: () => Promise<T>): Promise<T>
}

interface BreakerOptions {
  /** Name of the target in error messages: `Postgres`, `The group service`. */
  readonly target: string
  /** Which errors count as failures of the target; by default all. */
  readonly isFailure?: (error: unknown) => boolean
  readonly now?: () => number
}

/** Opens after 5 failures within 10 s; then one probe every 5 s until one succeeds. */
export function createBreaker({ target, isFailure = () => true, now = Date.now }: BreakerOptions): Breaker {
  let failures: number[] = []
  let openedAt: number | undefined
  let probing = false
  const state = metrics.breakerState.labels(target)

  const close = () => {
    failures = []
    if (openedAt !== undefined) state.set(0)
    openedAt = undefined
  }
  const fail = () => {
    const time = now()
    failures = [...failures.filter((at) => time - at < WITHIN_MS), time]
    if (openedAt === undefined && failures.length < OPEN_AFTER) return
    openedAt = time
    state.set(2)
  }
  const admit = (): boolean => {
    if (openedAt === undefined) return false
    const wait = openedAt + PROBE_AFTER_MS - now()
    if (wait > 0 || probing) throw notAnswering(target, wait)
    state.set(1)
    return true
  }

  return {
    [Symbol.dispose]: () => metrics.breakerState.remove(target),
    async probe(fn) {
      const result = await fn()
      close()
      return result
    },
    async run(fn) {
      const isProbe = admit()
      if (isProbe) probing = true
      try {
        const result = await fn()
        if (isProbe || failures.length > 0) close()
        return result
      } catch (error) {
        if (isFailure(error)) fail()
        else if (isProbe) close()
        throw error
      } finally {
        if (isProbe) probing = false
      }
    },
  }
}

function notAnswering(target: string, waitMs: number): AppError {
  const retryAfter = Math.max(1, Math.ceil(waitMs / 1_000))
  return new AppError('CIRCUIT_OPEN', `${target} does not answer; try again in ${retryAfter} s`, { retryAfter })
}
