import { expect, test } from 'vitest'
import { EntryOrder } from './entry-order.ts'

const n = (attempt: number, index: number) => attempt * 1_000_000 + index

test('consecutive entries of one attempt apply, repeated ones are dropped', () => {
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

test('the first entry of a new attempt applies only when the log is read to its end', () => {
  const order = new EntryOrder(n(1, 4))
  expect(order.offerLive(n(2, 1))).toBe('gap')
  expect(order.offerLogged(n(1, 5))).toBe('apply')
  expect(order.offerLive(n(2, 2), { caughtUp: true })).toBe('gap')
  expect(order.offerLive(n(2, 1), { caughtUp: true })).toBe('apply')
  expect(order.offerLive(n(2, 2))).toBe('apply')
})

test('behind the last entry of the start the first attempt follows, and no later one', () => {
  const order = new EntryOrder(0, 2)
  expect(order.offerLive(n(0, 1))).toBe('apply')
  expect(order.offerLive(n(1, 1))).toBe('gap')
  expect(order.offerLive(n(0, 2))).toBe('apply')
  expect(order.offerLive(n(2, 1))).toBe('gap')
  expect(order.offerLive(n(1, 1))).toBe('apply')
})

test('entries of a fenced owner are dropped', () => {
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

test('the last number of an attempt has no successor in the next one', () => {
  const order = new EntryOrder(n(1, 999_999))
  expect(order.offerLive(n(2, 0))).toBe('gap')
})
