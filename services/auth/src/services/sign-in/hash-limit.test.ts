import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { currentRequest, inRequest } from '@youworker/runtime/current-request'
import { expect, test } from 'vitest'
import { createHashLimit, type HashLimit } from './hash-limit.ts'

const never = new AbortController().signal
const stranger = (caller: string, signal = never) => ({ caller, isKnown: false, signal })

/** Work that waits for `open`, and the order in which it ran. */
function gated(limit: HashLimit) {
  const gate = Promise.withResolvers<void>()
  const ran: string[] = []
  const add = (caller: string, isKnown = false, signal = never) => {
    const work = async () => {
      ran.push(caller)
      await gate.promise
    }
    return limit(work, { caller, isKnown, signal }).then(
      () => 'ran',
      (error: { code: string; retryAfter: number }) => `${error.code} ${error.retryAfter}`,
    )
  }
  return { add, ran, open: () => gate.resolve() }
}

test('callers take turns: a flood of one delays another by one piece of work', async () => {
  const { add, ran, open } = gated(createHashLimit({ running: 1, waiting: 100 }))
  const flood = Array.from({ length: 20 }, () => add('flood'))
  const others = [add('a'), add('b')]
  open()
  await Promise.all([...flood, ...others])
  expect(ran.slice(0, 4)).toEqual(['flood', 'flood', 'a', 'b'])
  expect(ran).toHaveLength(22)
})

test('when the queue is full, the caller with the most waiting gives way, and only as far as its share', async () => {
  const { add, ran, open } = gated(createHashLimit({ running: 1, waiting: 4 }))
  const flood = Array.from({ length: 6 }, () => add('flood'))
  const others = ['a', 'b', 'c', 'd', 'e'].map((caller) => add(caller))
  open()
  const busy = 'SERVICE_UNAVAILABLE 1'
  // One ran at once and four waited, of which three gave way.
  expect(await Promise.all(flood)).toEqual(['ran', 'ran', busy, busy, busy, busy])
  expect(await Promise.all(others)).toEqual(['ran', 'ran', 'ran', busy, busy])
  expect(ran).toHaveLength(5)
})

test('each work runs within the deadline of its own request, not of the one that found the queue idle', async () => {
  const limit = createHashLimit({ running: 1, waiting: 10 })
  const gate = Promise.withResolvers<void>()
  const deadlines: unknown[] = []
  const add = (deadline: number) =>
    inRequest({ deadline }, () =>
      limit(async () => {
        await gate.promise
        deadlines.push(currentRequest().deadline)
      }, stranger('a')),
    )
  const works = [add(1), add(2), add(3)]
  gate.resolve()
  await Promise.all(works)
  expect(deadlines).toEqual([1, 2, 3])
})

test('known callers do not wait for strangers', async () => {
  const { add, ran, open } = gated(createHashLimit({ running: 1, waiting: 1 }))
  const strangers = Array.from({ length: 50 }, (_, n) => add(`stranger ${n}`))
  const known = add('ada', true)
  await turn()
  expect(ran).toEqual(['stranger 0', 'ada'])
  open()
  expect(await known).toBe('ran')
  await Promise.all(strangers)
})

test('work that fails, and work that was aborted while it waited, let the next one run', async () => {
  const limit = createHashLimit({ running: 1, waiting: 10 })
  const failed = limit(() => Promise.reject(new Error('no')), stranger('a'))
  const late = limit(async () => 'late', stranger('a', AbortSignal.abort(new Error('gone'))))
  const last = limit(async () => 'last', stranger('b'))
  await expect(failed).rejects.toThrow('no')
  await expect(late).rejects.toThrow('gone')
  await expect(last).resolves.toBe('last')
  await expect(limit(async () => 'again', stranger('a'))).resolves.toBe('again')
})

test('whose turn comes too late is told when to try again, and the work is left undone', async () => {
  const { add, ran, open } = gated(createHashLimit({ running: 1, waiting: 10, waitMs: 50 }))
  const [first, late] = [add('first'), add('late')]
  await sleep(80)
  open()
  expect(await Promise.all([first, late])).toEqual(['ran', 'SERVICE_UNAVAILABLE 1'])
  expect(ran).toEqual(['first'])
  expect(await add('next')).toBe('ran')
})
