import { expect, test } from 'vitest'
import { LogReads } from './log-reads.ts'

test('so many are read at once, and none of a user keeps those of others waiting', async () => {
  const reads = new LogReads()
  const running: { readonly user: string; readonly end: () => void }[] = []
  const read = (user: string) => reads.read(user, () => new Promise<void>((end) => running.push({ user, end })))
  const all = [...Array.from({ length: 300 }, () => read('greedy')), ...Array.from({ length: 100 }, (_, n) => read(`user-${n}`))]
  await Promise.resolve()
  expect(running.filter(({ user }) => user === 'greedy')).toHaveLength(8)
  expect(running).toHaveLength(64)
  let ended = 0
  for (let next = running.shift(); next; next = running.shift()) {
    next.end()
    ended += 1
    await new Promise((resolve) => setImmediate(resolve))
    expect(running.length).toBeLessThanOrEqual(64)
  }
  await Promise.all(all)
  expect(ended).toBe(400)
})

test('a read that fails leaves its place', async () => {
  const reads = new LogReads()
  for (let n = 0; n < 20; n += 1) await expect(reads.read('ada', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(await reads.read('ada', async () => 'read')).toBe('read')
})
