import { expect, test } from 'vitest'
import { backoffMs, retry } from './retry.ts'

const failing = (times: number) => async (attempt: number) => {
  if (attempt <= times) throw new Error(`try ${attempt}`)
  return attempt
}

test('repeats until it succeeds, and no more often than allowed', async () => {
  await expect(retry(failing(2), { attempts: 3, baseMs: 1 })).resolves.toBe(3)
  await expect(retry(failing(3), { attempts: 3, baseMs: 1 })).rejects.toThrow('try 3')
})

test('does not repeat an error that is not retryable, nor after an abort', async () => {
  await expect(retry(failing(1), { isRetryable: () => false })).rejects.toThrow('try 1')
  await expect(retry(failing(1), { signal: AbortSignal.abort() })).rejects.toThrow('try 1')
})

test('waits longer each time, within its bounds', () => {
  for (const [attempt, ceiling] of [
    [1, 50],
    [2, 100],
    [3, 200],
    [20, 2_000],
  ] as const) {
    const ms = backoffMs(attempt)
    expect(ms).toBeGreaterThanOrEqual(ceiling / 2)
    expect(ms).toBeLessThanOrEqual(ceiling)
  }
})
