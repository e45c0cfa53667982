import { expect, test } from 'vitest'
import { Slots } from './slots.ts'

const never = new AbortController().signal

test('runs so many at once, lets so many wait, refuses the rest', async () => {
  const slots = new Slots({ running: 2, waiting: 1 })
  const gate = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await gate.promise
    running -= 1
  }
  const accepted = [slots.run(work, never), slots.run(work, never), slots.run(work, never)]
  await expect(slots.run(work, never)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  gate.resolve()
  await Promise.all(accepted)
  expect(most).toBe(2)
})

test('work that fails and work that nobody waits for any more free their slots', async () => {
  const slots = new Slots({ running: 1, waiting: 10 })
  const failed = slots.run(() => Promise.reject(new Error('no')), never)
  const late = slots.run(async () => 'late', AbortSignal.abort(new Error('gone')))
  const last = slots.run(async () => 'last', never)
  await expect(failed).rejects.toThrow('no')
  await expect(late).rejects.toThrow('gone')
  await expect(last).resolves.toBe('last')
})
