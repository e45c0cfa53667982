import { AppError } from '@youworker/contracts/errors'
import { expect, test } from 'vitest'
import { Csrf } from './csrf.ts'

const ORIGIN = 'https://app.example.org'
const csrf = new Csrf('a secret of at least 16', new Set([ORIGIN]))
const attempt = (headers: Record<string, string>, sid = 'session-1', rule: 'required' | 'lenient' = 'required') => {
  try {
    csrf.require(headers, sid, rule)
    return 'accepted'
  } catch (error) {
    return error instanceof AppError ? error.code : 'crashed'
  }
}
const REFUSED = 'CSRF_VALIDATION_FAILED'

test('the same signed token in header and cookie is accepted, for this session only', () => {
  const token = csrf.issue('session-1')
  expect(attempt({ 'x-csrf-token': token, cookie: `a=b; youworker_csrf=${token}` })).toBe('accepted')
  expect(attempt({ 'x-csrf-token': token, cookie: `youworker_csrf=${token}` }, 'session-2')).toBe(REFUSED)
})

test('a token in one of the two only, two different tokens and unsigned pairs are refused', () => {
  const token = csrf.issue('session-1')
  const other = csrf.issue('session-1')
  expect(attempt({})).toBe(REFUSED)
  expect(attempt({ 'x-csrf-token': token })).toBe(REFUSED)
  expect(attempt({ cookie: `youworker_csrf=${token}` })).toBe(REFUSED)
  expect(attempt({ 'x-csrf-token': token, cookie: `youworker_csrf=${other}` })).toBe(REFUSED)
  for (const forged of ['x', 'x.y', `${token}.z`, '.', `${token.split('.')[0]}.${'A'.repeat(43)}`, `${token}é`]) {
    expect([forged, attempt({ 'x-csrf-token': forged, cookie: `youworker_csrf=${forged}` })]).toEqual([forged, REFUSED])
  }
  const foreign = new Csrf('another secret altogether', new Set()).issue('session-1')
  expect(attempt({ 'x-csrf-token': foreign, cookie: `youworker_csrf=${foreign}` })).toBe(REFUSED)
})

test('a lenient route accepts a missing token from a page of ours, never a wrong one', () => {
  const lenient = (headers: Record<string, string>) => attempt(headers, 'session-1', 'lenient')
  expect(lenient({ 'sec-fetch-site': 'same-origin' })).toBe('accepted')
  expect(lenient({ 'sec-fetch-site': 'same-site' })).toBe('accepted')
  expect(lenient({ origin: ORIGIN })).toBe('accepted')
  expect(lenient({ 'sec-fetch-site': 'same-site', origin: ORIGIN })).toBe('accepted')
  expect(lenient({ 'sec-fetch-site': 'same-site', origin: 'https://sibling.example.org' })).toBe(REFUSED)
  expect(lenient({ 'sec-fetch-site': 'same-site', origin: 'null' })).toBe(REFUSED)
  expect(lenient({})).toBe(REFUSED)
  expect(lenient({ 'sec-fetch-site': 'cross-site' })).toBe(REFUSED)
  expect(lenient({ 'sec-fetch-site': 'none' })).toBe(REFUSED)
  expect(lenient({ origin: 'https://evil.example.org' })).toBe(REFUSED)
  expect(lenient({ 'sec-fetch-site': 'same-origin', 'x-csrf-token': 'wrong' })).toBe(REFUSED)
  expect(attempt({ 'sec-fetch-site': 'same-origin' })).toBe(REFUSED)
})
