import { expect, test } from 'vitest'
import { Sampler } from './sampler.ts'

test('one of a kind in a window, so many of a group, so many in all; a new window begins anew, also when the clock is set back', () => {
  let now = 1_000_000
  const sampler = new Sampler({ windowMs: 60_000, perGroup: 3, total: 5, now: () => now })
  const take = (group: string, ...kinds: string[]) => kinds.map((kind) => sampler.take(group, kind))
  expect(take('ada', 'a', 'a', 'b', 'a', 'c', 'd')).toEqual([true, false, true, false, true, false])
  expect(take('eve', 'a', 'a', 'b', 'c')).toEqual([true, false, true, false])
  now += 59_999
  expect(take('ada', 'a')).toEqual([false])
  now += 1
  expect(take('ada', 'a', 'd')).toEqual([true, true])
  now -= 3_600_000
  expect(take('ada', 'a')).toEqual([true])
})

test('a group and a kind cannot be mistaken for others', () => {
  const sampler = new Sampler({ windowMs: 60_000, perGroup: 9, total: 9 })
  expect([sampler.take('a b', 'c'), sampler.take('a', 'b c'), sampler.take('a","b', 'c')]).toEqual([true, true, true])
})
