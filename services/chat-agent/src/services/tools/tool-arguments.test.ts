import { expect, test } from 'vitest'
import { problemOf } from './tool-arguments.ts'

const schema = {
  type: 'object',
  properties: {
    query: { type: 'string', minLength: 1, pattern: '^(a+)+$' },
    // A property may be called like a keyword.
    pattern: { type: 'integer' },
    near: { $ref: '#/$defs/place' },
  },
  $defs: { place: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  required: ['query'],
  additionalProperties: false,
}

test.each([
  [{ query: 'x' }, undefined],
  [{ query: 'x', pattern: 1, near: { city: 'Ulm' } }, undefined],
  [{}, /query: /],
  [{ query: '' }, /query: /],
  [{ query: 'x', pattern: '1' }, /pattern: .*number/],
  [{ query: 'x', near: {} }, /near.city: /],
  [{ query: 'x', more: 1 }, /"more"/],
])('%j', (args, expected) => {
  const problem = problemOf(schema, args)
  if (expected === undefined) expect(problem).toBeUndefined()
  else expect(problem).toMatch(expected)
})

test('an expression of the schema is not run over the arguments', () => {
  expect(problemOf(schema, { query: `${'a'.repeat(40)}!` })).toBeUndefined()
})

test('a schema that cannot be read refuses nothing', () => {
  for (const unreadable of [{ type: 'nonsense' }, { $ref: '#/nowhere' }, { allOf: 7 }])
    expect(problemOf(unreadable, { any: 'thing' })).toBeUndefined()
})
