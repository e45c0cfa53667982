import { expect, test } from 'vitest'
import { DenyList, LONGEST_TOKEN_MS } from './deny-list.ts'

const now = Date.parse('2026-01-01T00:00:10.500Z')
const at = (ms: number) => new Date(ms).toISOString()

test('a revoked session refuses all its tokens; a revoked user only those issued up to the revocation', () => {
  const list = new DenyList()
  expect(list.add({ sid: 's', sub: 'ignored', revoked_at: at(now) }, now)).toBe(true)
  expect(list.add({ sid: null, sub: 'u', revoked_at: at(now) }, now)).toBe(true)
  expect(list.refuses({ sid: 's', sub: 'x', issuedAt: now + 5_000 })).toBe(true)
  expect(list.refuses({ sid: 'x', sub: 'ignored', issuedAt: now - 1 })).toBe(false)
  expect(list.refuses({ sid: 'x', sub: 'u', issuedAt: now })).toBe(true)
  expect(list.refuses({ sid: 'x', sub: 'u', issuedAt: now + 1 })).toBe(false)
})

test('add returns true for a revocation once, never for an older one, and again for a later one', () => {
  const list = new DenyList()
  const news = (ms: number) => list.add({ sid: null, sub: 'u', revoked_at: at(ms) }, now)
  expect([news(now), news(now), news(now - 1), news(now + 1)]).toEqual([true, false, false, true])
})

test('entries are pruned when every token they could refuse has expired', () => {
  const list = new DenyList()
  list.add({ sid: 's', sub: null, revoked_at: at(now) }, now)
  list.prune(now + LONGEST_TOKEN_MS)
  expect(list.refuses({ sid: 's', sub: 'u', issuedAt: now })).toBe(true)
  list.prune(now + LONGEST_TOKEN_MS + 61_000)
  expect(list.refuses({ sid: 's', sub: 'u', issuedAt: now })).toBe(false)
  expect(list.add({ sid: 's', sub: null, revoked_at: at(now - LONGEST_TOKEN_MS - 61_000) }, now)).toBe(false)
})
