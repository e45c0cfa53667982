import { expect, test } from 'vitest'
import { RateLimiter, rateHeaders } from './rate-limit.ts'

const MINUTE = 60_000
const limiterAt = (mode: 'on' | 'generous' | 'off' = 'on') => {
  const clock = { now: 1_000_000 }
  return { clock, limiter: new RateLimiter(mode, () => clock.now) }
}
const accepted = (limiter: RateLimiter, name: 'default' | 'auth' | 'upload', who: string, times: number) =>
  Array.from({ length: times }, () => limiter.take(name, who)?.remaining ?? 0).filter((remaining) => remaining >= 0).length

test('a burst is accepted, then the rate', () => {
  const { clock, limiter } = limiterAt()
  expect(accepted(limiter, 'default', 'a', 500)).toBe(120)
  clock.now += MINUTE
  expect(accepted(limiter, 'default', 'a', 500)).toBe(100)
  clock.now += 100 * MINUTE
  expect(accepted(limiter, 'default', 'a', 500)).toBe(120)
})

test('over an hour the rate is exact whatever the pattern of requests', () => {
  const { clock, limiter } = limiterAt()
  let taken = 0
  for (let second = 0; second < 3_600; second++) {
    taken += accepted(limiter, 'default', 'a', 7)
    clock.now += 1_000
  }
  expect(taken).toBeGreaterThanOrEqual(60 * 100)
  expect(taken).toBeLessThanOrEqual(60 * 100 + 121)
})

test('users and classes do not share a bucket', () => {
  const { limiter } = limiterAt()
  expect(accepted(limiter, 'auth', 'a', 50)).toBe(10)
  expect(accepted(limiter, 'auth', 'b', 50)).toBe(10)
  expect(accepted(limiter, 'upload', 'a', 50)).toBe(20)
})

test('limit, remaining and reset as clients get them, and the refusal', () => {
  const { clock, limiter } = limiterAt()
  expect(limiter.take('auth', 'a')).toEqual({ limit: 10, remaining: 9, reset: clock.now / 1_000 + 6 })
  accepted(limiter, 'auth', 'a', 50)
  expect(limiter.isSpent('auth', 'a')).toBe(true)
  expect(limiter.refusal('auth')).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED', retryAfter: 6 })
  clock.now += 6_000
  expect(limiter.isSpent('auth', 'a')).toBe(false)
})

test('what remains of a burst is never told as more than the limit', () => {
  const { limiter } = limiterAt()
  const told = Array.from({ length: 122 }, () => {
    const state = limiter.take('default', 'a')
    return state && Number(rateHeaders(state)['x-ratelimit-remaining'])
  })
  expect([told[0], told[19], told[20], told[119], told[121]]).toEqual([100, 100, 99, 0, 0])
})

test('no limits when off, a hundredfold when generous', () => {
  expect(limiterAt('off').limiter.take('auth', 'a')).toBeUndefined()
  expect(accepted(limiterAt('generous').limiter, 'auth', 'a', 2_000)).toBe(1_000)
})

test('of 50,000 buckets the least recently used one is dropped for a new client, and no other', () => {
  const { limiter } = limiterAt()
  accepted(limiter, 'auth', 'active', 50)
  accepted(limiter, 'auth', 'idle', 50)
  limiter.isSpent('auth', 'active')
  for (let i = 0; i < 49_999; i++) limiter.take('default', `address ${i}`)
  expect(limiter.isSpent('auth', 'idle')).toBe(false)
  expect(limiter.isSpent('auth', 'active')).toBe(true)
  expect(limiter.take('default', 'address 0')?.remaining).toBe(118)
})
