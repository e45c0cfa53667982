import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { Readiness } from './readiness.ts'

const SOON = { timeout: 20_000, interval: 5 }

test('is ready when all checks have passed, not any more when a check keeps failing, and again when it passes', async () => {
  const works = { a: true, b: false }
  const check = (name: 'a' | 'b') => () => (works[name] ? Promise.resolve() : Promise.reject(new Error(`${name} is away`)))
  await using readiness = new Readiness({ a: check('a'), b: check('b') })
  expect([readiness.isReady, readiness.components]).toEqual([false, []])
  await vi.waitFor(() => expect(readiness.components).toHaveLength(2), SOON)
  expect(readiness.isReady).toBe(false)
  expect(readiness.components[1]).toMatchObject({ name: 'b', status: 'down', message: 'b is away' })
  works.b = true
  await vi.waitFor(() => expect(readiness.isReady).toBe(true), SOON)
  works.a = false
  await vi.waitFor(() => expect(readiness.isReady).toBe(false), SOON)
  works.a = true
  await vi.waitFor(() => expect(readiness.isReady).toBe(true), SOON)
})

test('one failed round alone changes nothing', async () => {
  let rounds = 0
  const everyThirdFails = async () => {
    rounds += 1
    if (rounds % 3 === 0) throw new Error('slow once')
  }
  await using readiness = new Readiness({ a: everyThirdFails })
  await vi.waitFor(() => expect(readiness.isReady).toBe(true), SOON)
  const states = new Set<boolean>()
  using _rounds = readiness.onRound(() => states.add(readiness.isReady))
  await vi.waitFor(() => expect(rounds).toBeGreaterThanOrEqual(7), SOON)
  expect([...states]).toEqual([true])
})

test('a check that hangs has failed, and neighbours count at once', async () => {
  const neighbour = { name: 'auth', status: 'ok' as 'ok' | 'down', latency_ms: 0 }
  let hangs = false
  const check = () => (hangs ? sleep(60_000, undefined, { ref: false }) : Promise.resolve())
  await using readiness = new Readiness({ a: check }, { components: () => [neighbour] })
  await vi.waitFor(() => expect(readiness.isReady).toBe(true), SOON)
  neighbour.status = 'down'
  expect(readiness.isReady).toBe(false)
  expect(readiness.components).toContainEqual(neighbour)
  neighbour.status = 'ok'
  expect(readiness.isReady).toBe(true)
  hangs = true
  await vi.waitFor(() => expect(readiness.isReady).toBe(false), SOON)
})
