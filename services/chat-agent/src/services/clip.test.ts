import { expect, test } from 'vitest'
import { clipArgs, clipBytes, withinBytes } from './clip.ts'

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

test('a text is cut to bytes of JSON', () => {
  expect(bytes(clipBytes('\u0001日'.repeat(500), 600))).toBeLessThanOrEqual(600)
})

test('small arguments are shown whole, large ones in part', () => {
  expect(clipArgs({ query: 'x', top_k: 3 }, 100)).toEqual({ query: 'x', top_k: 3 })
  const clipped = clipArgs({ query: '日'.repeat(5_000), deep: { a: ['b'.repeat(5_000)] }, ['k'.repeat(500)]: 1 }, 1_024)
  expect(bytes(clipped)).toBeLessThanOrEqual(1_024)
  expect(clipped['query']).toMatch(/^日+…$/)
})

test('a list keeps the first entries that fit', () => {
  expect(withinBytes(['aa', 'bb', 'cc'], 11)).toEqual(['aa', 'bb'])
  expect(withinBytes(['aa'], 100)).toEqual(['aa'])
  expect(withinBytes(['a'.repeat(50)], 10)).toEqual([])
})
