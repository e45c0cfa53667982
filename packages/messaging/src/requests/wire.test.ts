import { AppError } from '@youworker/contracts/errors'
import { expect, test } from 'vitest'
import { argsLine, decodeError, encodeError, HEADER, line, splitBytes } from './wire.ts'

test('the JSON part of a bytes message survives an ASCII-only header', () => {
  const value = { name: 'Übersicht\r\n日本  🙂 \u2028\ud800', deep: { n: 1.5 } }
  const header = argsLine(value)
  expect(header).toMatch(/^Args: [\x20-\x7e]+\r\n$/)
  expect(JSON.parse(header.slice(HEADER.args.length + 2))).toEqual(value)
})

test.each(['', ' ', 'a\r\nDeadline: 9', 'a\nb', 'ключ', 'tab\there', ' lead', 'trail '])(
  'a header value %j is refused',
  (value) => {
    expect(() => line(HEADER.idempotencyKey, value)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  },
)

test('errors keep message, details and retry_after, cut to their limits', () => {
  const details = Array.from({ length: 30 }, (_, n) => ({ field: `f${n}`, message: 'ä\nb' }))
  const sent = new AppError('CONFLICT', 'x'.repeat(9_000), { details, retryAfter: 3 })
  const got = decodeError('CONFLICT', encodeError(sent))
  expect(got).toMatchObject({ code: 'CONFLICT', message: 'x'.repeat(4_000), details: details.slice(0, 20), retryAfter: 3 })
  expect(decodeError('__proto__', encodeError(sent)).code).toBe('INTERNAL_ERROR')
})

test('bytes are split from the rest; a value that is not bytes becomes empty', () => {
  const bytes = Uint8Array.of(1, 2)
  expect(splitBytes({ a: 1, bytes })).toEqual({ bytes, json: { a: 1 } })
  expect(splitBytes({ a: 1, bytes: 'text' })).toEqual({ bytes: new Uint8Array(0), json: { a: 1 } })
})
