import { expect, test } from 'vitest'
import { FairSlots } from './fair-slots.ts'

const never = new AbortController().signal

test('one with much to do delays another by one turn only, and leaves room', async () => {
  const slots = new FairSlots({ total: 3, each: 2 })
  const order: string[] = []
  const ask = async (user: string) => {
    const slot = await slots.take(user, never)
    order.push(user)
    return slot
  }
  const heavy = Array.from({ length: 6 }, () => ask('heavy'))
  const [one, two] = await Promise.all([heavy[0], heavy[1]])
  // The third slot is for others.
  const light = await ask('light')
  expect(order).toEqual(['heavy', 'heavy', 'light'])
  const others = [ask('a'), ask('b')]
  for (const slot of [one, one, two, light]) slot?.[Symbol.dispose]()
  await Promise.all(others)
  expect(order.slice(3).toSorted()).toEqual(['a', 'b', 'heavy'])
})

test('who stops waiting takes nothing', async () => {
  const slots = new FairSlots({ total: 1, each: 1 })
  const first = await slots.take('a', never)
  const stop = new AbortController()
  const stopped = slots.take('b', stop.signal)
  const third = slots.take('c', never)
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
  first[Symbol.dispose]()
  await third
  await expect(slots.take('d', stop.signal)).rejects.toThrow('stopped')
})
