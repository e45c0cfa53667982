import type { ComponentHealth } from '@youworker/contracts/health'
import { innerMessage } from '../text/inner-text.ts'
import { settledWithin } from '../timing/settled-within.ts'

const DEGRADED_MS = 500

/** What is shown of a dependency that works. */
export interface Note {
  readonly note: string
}

/**
 * Resolves when the dependency works, with what restricts it if something does (the service counts as degraded); rejects with an
 * error that says what is wrong and what to do.
 */
export type HealthCheck = () => Promise<string | Note | undefined | void>

/** Runs all checks in parallel, each for at most `timeoutMs`. */
export function reportHealth(checks: Readonly<Record<string, HealthCheck>>, timeoutMs: number): Promise<ComponentHealth[]> {
  return Promise.all(Object.entries(checks).map(([name, check]) => reportOne(name, check, timeoutMs)))
}

async function reportOne(name: string, check: HealthCheck, timeoutMs: number): Promise<ComponentHealth> {
  const started = performance.now()
  const { status, message } = await outcomeOf(check, timeoutMs)
  const latency_ms = Math.round((performance.now() - started) * 10) / 10
  const slow = status === 'ok' && latency_ms > DEGRADED_MS ? 'degraded' : status
  return { name, status: slow, latency_ms, ...(message === undefined ? {} : { message }) }
}

type Outcome = Pick<ComponentHealth, 'status' | 'message'>

async function outcomeOf(check: HealthCheck, timeoutMs: number): Promise<Outcome> {
  const outcome = Promise.resolve()
    .then(check)
    .then(
      (found): Outcome =>
        typeof found === 'object'
          ? { status: 'ok', message: found.note }
          : found
            ? { status: 'degraded', message: found }
            : { status: 'ok' },
      (error: unknown): Outcome => ({ status: 'down', message: innerMessage(error) }),
    )
  if (await settledWithin(timeoutMs, outcome)) return outcome
  return { status: 'down', message: `no answer in ${timeoutMs / 1_000} s` }
}
