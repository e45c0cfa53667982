import { expect, test } from 'vitest'
import { EntryOrder } from './entry-order.ts'

const n = (attempt: number, index: number) => attempt * 1_000_000 + index

test('neighbours of one attempt apply, repeats drop', () => {
  const order = new EntryOrder(n(1, 4))
  expect(order.offerLive(n(1, 5))).toBe('apply')
  expect(order.offerLive(n(1, 6))).toBe('apply')
  expect(order.offerLive(n(1, 5))).toBe('drop')
  expect(order.last).toBe(n(1, 6))
})

test('a jump is a gap and changes nothing', () => {
  const order = new EntryOrder(n(1, 4))
  expect(order.offerLive(n(1, 6))).toBe('gap')
  expect(order.last).toBe(n(1, 4))
  expect(order.offerLogged(n(1, 5))).toBe('apply')
  expect(order.offerLive(n(1, 6))).toBe('apply')
})

test('a new attempt waits until the rest of the one before is read', () => {
  const order = new EntryOrder(n(1, 4))
  expect(order.offerLive(n(2, 1))).toBe('gap')
  expect(order.offerLogged(n(1, 5))).toBe('apply')
  expect(order.offerLive(n(2, 2), { caughtUp: true })).toBe('gap')
  expect(order.offerLive(n(2, 1), { caughtUp: true })).toBe('apply')
  expect(order.offerLive(n(2, 2))).toBe('apply')
})

test('a fenced owner that goes on talking is not heard', () => {
  const order = new EntryOrder(n(2, 3))
  expect(order.offerLive(n(1, 999_999))).toBe('drop')
  expect(order.offerLogged(n(1, 40))).toBe('drop')
  expect(order.offerLive(n(2, 4))).toBe('apply')
})

test('the very first entry needs the log: an earlier attempt may be in it', () => {
  const order = new EntryOrder()
  expect(order.offerLive(n(1, 1))).toBe('gap')
  expect(order.offerLive(n(1, 1), { caughtUp: true })).toBe('apply')
})

test('the last number of one attempt has no neighbour in the next', () => {
  const order = new EntryOrder(n(1, 999_999))
  expect(order.offerLive(n(2, 0))).toBe('gap')
})
