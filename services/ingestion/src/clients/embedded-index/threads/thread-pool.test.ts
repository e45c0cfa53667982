import { silentLogger } from '@youworker/runtime/logger'
import { expect, test } from 'vitest'
import type { TestCall } from './test-worker.ts'
import { ThreadPool } from './thread-pool.ts'

const shared = (...values: number[]): Int32Array => {
  const array = new Int32Array(new SharedArrayBuffer(values.length * Int32Array.BYTES_PER_ELEMENT))
  array.set(values)
  return array
}
const open = (gate: Int32Array) => Atomics.store(gate, 0, 1)

async function withPool(
  work: (ask: (key: string, call: TestCall, timeoutMs?: number, isShort?: boolean) => Promise<unknown>) => Promise<void>,
  more: { isRepeatable?: boolean; maxWaiting?: number } = {},
): Promise<void> {
  const script = new URL('./test-worker.ts', import.meta.url)
  const options = { script, data: undefined, size: 4, maxWaiting: 100, isRepeatable: true, logger: silentLogger(), ...more }
  const pool = new ThreadPool(options)
  try {
    await work((key, call, timeoutMs = Infinity, isShort = false) => pool.run(key, call, { timeoutMs, isShort }))
  } finally {
    await pool.stop()
  }
}

test('one key uses at most half of the threads, so that another one is served beside it', () =>
  withPool(async (ask) => {
    const gate = shared(0)
    const done: string[] = []
    const slow = Array.from({ length: 8 }, (_, n) =>
      ask('big', { gate, answer: `big ${n}` }).then((answer) => done.push(String(answer))),
    )
    expect(await Promise.all([ask('small', { answer: 'small' }), ask('other', { answer: 'other' })])).toEqual(['small', 'other'])
    // A short call of the busy key does not wait for its half either.
    expect(await ask('big', { answer: 'state' }, Infinity, true)).toBe('state')
    expect(done).toEqual([])
    open(gate)
    await Promise.all(slow)
    expect(done.toSorted()).toEqual(Array.from({ length: 8 }, (_, n) => `big ${n}`))
  }))

test('a call that is too late leaves the queue, and one that runs is interrupted', () =>
  withPool(async (ask) => {
    const running = [shared(0), shared(0)]
    const busy = running.map((gate) => ask('key', { gate, answer: 'never' }, 1_000).catch((error: unknown) => error))
    const touched = shared(0, 0)
    const waiting = ask('key', { dies: touched, answer: 'late' }, 300)
    await expect(waiting).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', retryAfter: 1 })
    for (const error of await Promise.all(busy)) expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    // Both threads have let go of calls whose gates stay closed, and nobody has begun the one that was late.
    expect(await Promise.all([ask('key', { answer: 'a' }), ask('key', { answer: 'b' })])).toEqual(['a', 'b'])
    expect(touched[0]).toBe(0)
    await expect(ask('key', { answer: 'x' }, 0)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  }))

test('a queue that is full refuses more with a time to wait', () =>
  withPool(
    async (ask) => {
      const gate = shared(0)
      const taken = Array.from({ length: 5 }, () => ask('key', { gate, answer: 'done' }))
      await expect(ask('key', { answer: 'more' })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
      expect(await ask('other', { answer: 'goes on' })).toBe('goes on')
      open(gate)
      expect(await Promise.all(taken)).toEqual(Array.from({ length: 5 }, () => 'done'))
    },
    { maxWaiting: 3 },
  ))

test('a call whose thread dies is made again once; a write is not', async () => {
  await withPool(async (ask) => {
    expect(await ask('key', { dies: shared(0, 1), answer: 'second try' })).toBe('second try')
    await expect(ask('key', { dies: shared(0, 9), answer: 'never' })).rejects.toThrow('its thread ended')
    expect(await ask('key', { answer: 'a new thread' })).toBe('a new thread')
  })
  await withPool(async (ask) => expect(ask('key', { dies: shared(0, 1), answer: 'x' })).rejects.toThrow('its thread ended'), {
    isRepeatable: false,
  })
})

test('stopping rejects what waits and what runs', async () => {
  let calls: Promise<unknown>[] = []
  await withPool(async (ask) => {
    const gate = shared(0)
    calls = Array.from({ length: 6 }, () => ask('key', { gate, answer: 'x' }).catch((error: unknown) => error))
  })
  for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(Error)
})
