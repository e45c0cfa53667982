import { AppError } from '@youworker/contracts/errors'
import { expect, test } from 'vitest'
import { createBreaker } from './breaker.ts'

const away = () => Promise.reject(new Error('away'))
const there = () => Promise.resolve('there')

async function failTimes(breaker: ReturnType<typeof createBreaker>, times: number) {
  for (let i = 0; i < times; i += 1) await expect(breaker.run(away)).rejects.toThrow('away')
}

test('opens after five failures in ten seconds and runs one probe after five seconds', async () => {
  let now = 0
  const breaker = createBreaker({ target: 'test-1', now: () => now })
  await failTimes(breaker, 5)
  const refusal = await breaker.run(there).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'CIRCUIT_OPEN', retryAfter: 5 })

  now += 5_000
  let release: (value: string) => void = () => {}
  const probe = breaker.run(() => new Promise<string>((resolve) => (release = resolve)))
  await expect(breaker.run(there)).rejects.toBeInstanceOf(AppError)
  release('back')
  await expect(probe).resolves.toBe('back')
  await expect(breaker.run(there)).resolves.toBe('there')
})

test('a failed probe keeps it open', async () => {
  let now = 0
  const breaker = createBreaker({ target: 'test-2', now: () => now })
  await failTimes(breaker, 5)
  now += 5_000
  await failTimes(breaker, 1)
  await expect(breaker.run(there)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
})

test('a probe that ends in an error of the caller (4xx) closes it', async () => {
  let now = 0
  const isFailure = (error: unknown) => !(error instanceof AppError)
  const breaker = createBreaker({ target: 'test-5', isFailure, now: () => now })
  const refuse = () => Promise.reject(new AppError('VALIDATION_ERROR', 'no such field'))
  await failTimes(breaker, 5)
  await expect(breaker.run(there)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
  now += 5_000
  await expect(breaker.run(refuse)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  expect(await Promise.all([breaker.run(there), breaker.run(there)])).toEqual(['there', 'there'])
  // The failures from before the probe are forgotten.
  await failTimes(breaker, 4)
  await expect(breaker.run(there)).resolves.toBe('there')
})

test('after a failed probe the next one may run', async () => {
  let now = 0
  const breaker = createBreaker({ target: 'test-6', now: () => now })
  await failTimes(breaker, 5)
  for (let i = 0; i < 3; i += 1) {
    now += 5_000
    await failTimes(breaker, 1)
  }
  now += 5_000
  await expect(breaker.run(there)).resolves.toBe('there')
})

test('a health check passes an open breaker: when it succeeds the target is back at once, when it fails nothing is counted', async () => {
  const breaker = createBreaker({ target: 'test-7', now: () => 0 })
  for (let i = 0; i < 10; i += 1) await expect(breaker.probe(away)).rejects.toThrow('away')
  await failTimes(breaker, 5)
  await expect(breaker.run(there)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
  await expect(breaker.probe(away)).rejects.toThrow('away')
  await expect(breaker.run(there)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
  await expect(breaker.probe(there)).resolves.toBe('there')
  await expect(breaker.run(there)).resolves.toBe('there')
})

test('failures far apart and errors that are not failures of the target do not open it', async () => {
  let now = 0
  const apart = createBreaker({ target: 'test-3', now: () => now })
  for (let i = 0; i < 10; i += 1) {
    await failTimes(apart, 1)
    now += 3_000
  }
  await expect(apart.run(there)).resolves.toBe('there')

  const innocent = createBreaker({ target: 'test-4', isFailure: () => false })
  await failTimes(innocent, 20)
  await expect(innocent.run(there)).resolves.toBe('there')
})
