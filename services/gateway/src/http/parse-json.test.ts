import { expect, test } from 'vitest'
import { parseJson, requireJsonType } from './parse-json.ts'

const parse = (text: string) => parseJson(Buffer.from(text))

test('text is parsed unchanged', () => {
  const text = 'naïve 日本語 🙂 שלום \u2028 "quoted\\"'
  expect(parse(JSON.stringify({ text }))).toEqual({ text })
  expect(parse('{"text":"\\ud83d\\ude42"}')).toEqual({ text: '🙂' })
})

test.each([
  ['not JSON', '{'],
  ['NUL', '{"a":"x\\u0000y"}'],
  ['NUL in a key', '{"x\\u0000y":1}'],
  ['half a surrogate pair', '{"a":["\\ud800"]}'],
  ['deep arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['deep objects', '{"a":'.repeat(65) + '1' + '}'.repeat(65)],
  ['blank text', ' '],
])('%s is refused', (_, text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
})

test('invalid UTF-8 is refused', () => {
  const bytes = Buffer.from('{"a":"é"}', 'latin1')
  expect(() => parseJson(bytes)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
})

test('brackets in strings are not depth', () => {
  expect(parse(JSON.stringify({ a: '[{'.repeat(1_000), b: '\\"[' }))).toEqual({ a: '[{'.repeat(1_000), b: '\\"[' })
})

test('a key named __proto__ changes nothing', () => {
  parse('{"__proto__":{"polluted":true}}')
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
})

test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/scim+json'])(
  '%s',
  (type) => {
    expect(() => requireJsonType({ 'content-type': type })).not.toThrow()
  },
)

test.each([
  undefined,
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-16',
  'multipart/form-data; boundary=x',
])('%s is not JSON', (type) => {
  const headers = type === undefined ? {} : { 'content-type': type }
  expect(() => requireJsonType(headers)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE' }))
})
