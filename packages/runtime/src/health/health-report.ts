import type { ComponentHealth } from '@youworker/contracts/health'
import type { HealthCheck } from '../process/service.ts'
import { innerMessage } from '../text/inner-text.ts'
import { settledWithin } from '../timing/settled-within.ts'

const DEGRADED_MS = 500

/** Runs all checks in parallel, each for at most `timeoutMs`. */
export function reportHealth(checks: Readonly<Record<string, HealthCheck>>, timeoutMs: number): Promise<ComponentHealth[]> {
  return Promise.all(Object.entries(checks).map(([name, check]) => reportOne(name, check, timeoutMs)))
}

async function reportOne(name: string, check: HealthCheck, timeoutMs: number): Promise<ComponentHealth> {
  const started = performance.now()
  const failure = await failureOf(check, timeoutMs)
  const latency_ms = Math.round((performance.now() - started) * 10) / 10
  if (failure !== undefined) return { name, status: 'down', latency_ms, message: failure }
  return { name, status: latency_ms > DEGRADED_MS ? 'degraded' : 'ok', latency_ms }
}

async function failureOf(check: HealthCheck, timeoutMs: number): Promise<string | undefined> {
  const outcome = Promise.resolve()
    .then(check)
    .then(() => undefined, innerMessage)
  return (await settledWithin(timeoutMs, outcome)) ? outcome : `no answer in ${timeoutMs / 1_000} s`
}
