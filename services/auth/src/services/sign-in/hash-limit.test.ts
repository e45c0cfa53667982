import { expect, test } from 'vitest'
import { createHashLimit } from './hash-limit.ts'

const never = new AbortController().signal

test('runs a limited number at once, lets a limited number wait, refuses the rest', async () => {
  const limit = createHashLimit({ running: 2, waiting: 1 })
  const gate = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await gate.promise
    running -= 1
  }
  const accepted = [limit(work, never), limit(work, never), limit(work, never)]
  await expect(limit(work, never)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  gate.resolve()
  await Promise.all(accepted)
  expect(most).toBe(2)
})

test('work that fails, and work that was aborted while it waited, free their place for the next', async () => {
  const limit = createHashLimit({ running: 1, waiting: 10 })
  const failed = limit(() => Promise.reject(new Error('no')), never)
  const late = limit(async () => 'late', AbortSignal.abort(new Error('gone')))
  const last = limit(async () => 'last', never)
  await expect(failed).rejects.toThrow('no')
  await expect(late).rejects.toThrow('gone')
  await expect(last).resolves.toBe('last')
})
