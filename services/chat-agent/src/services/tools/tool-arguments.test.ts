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
  [{}, /"query"/],
  [{ query: '' }, /query: /],
  [{ query: 'x', pattern: '1' }, /pattern: .*"integer"/],
  [{ query: 'x', near: {} }, /near: .*"city"/],
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

const text = { type: 'string' }
const a = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
const ab = { type: 'object', properties: { a: text, b: text } }

test.each<[string, object, object, object]>([
  ['a property that must be there and has no schema', { type: 'object', required: ['ghost'] }, { ghost: 1 }, {}],
  ['no type', { properties: { a: text }, required: ['a'] }, { a: 'x' }, {}],
  ['one of some properties', { ...ab, anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 'x' }, {}],
  ['exactly one of them', { ...ab, oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 'x' }, { a: 'x', b: 'y' }],
  ['what depends on another', { ...a, dependentRequired: { a: ['b'] } }, { a: 1, b: 2 }, { a: 1 }],
  ['a condition', { ...a, if: { properties: { a: { const: 2 } } }, else: { required: ['b'] } }, { a: 2 }, { a: 1 }],
  ['not', { ...a, not: { required: ['z'] } }, { a: 1 }, { a: 1, z: 1 }],
  ['definitions of draft 7', { properties: { a: { $ref: '#/definitions/x' } }, definitions: { x: text } }, { a: 'x' }, { a: 1 }],
  ['itself', { type: 'object', properties: { n: { $ref: '#' } }, required: ['v'] }, { v: 1, n: { v: 2 } }, { v: 1, n: {} }],
  ['a schema of another server', { type: 'object', properties: { n: { $ref: 'http://x/y' } }, required: ['v'] }, { v: 1 }, {}],
  ['null of OpenAPI', { properties: { n: { type: 'string', nullable: true } } }, { n: null }, { n: 1 }],
  ['an object as constant', { properties: { n: { const: { format: 'x' } } } }, { n: { format: 'x' } }, { n: {} }],
  ['objects to choose from', { properties: { n: { enum: [{ pattern: 'x' }] } } }, { n: { pattern: 'x' } }, { n: {} }],
  [
    'names by an expression',
    { patternProperties: { '^x': text }, additionalProperties: false, required: ['x1'] },
    { x1: 's' },
    {},
  ],
  ['a limit of draft 4', { properties: { n: { type: 'number', minimum: 1, exclusiveMinimum: true } } }, { n: 2 }, { n: 'x' }],
  ['no other property', { ...a, unevaluatedProperties: false }, { a: 1 }, { a: 1, b: 1 }],
  ['a list in order', { properties: { n: { prefixItems: [text], items: false } } }, { n: ['a'] }, { n: ['a', 'b'] }],
  ['names of objects in JavaScript', { required: ['constructor'] }, JSON.parse('{"constructor":1,"__proto__":2}'), { a: 1 }],
])('%s: what fits passes, what does not is refused', (_what, parameters, good, bad) => {
  expect(problemOf({ ...parameters }, { ...good })).toBeUndefined()
  expect(problemOf({ ...parameters }, { ...bad })).toMatch(/do not fit/)
})

test('schemas that refer to themselves in many ways take no time, and refuse nothing', () => {
  const twice = (name: string) => ({ anyOf: [{ $ref: `#/$defs/${name}` }, { $ref: `#/$defs/${name}` }] })
  const chain = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`a${n}`, twice(`a${n + 1}`)]))
  const grown = { type: 'object', properties: { q: { $ref: '#/$defs/a0' } }, $defs: { ...chain, a60: { type: 'number' } } }
  expect(problemOf(grown, { q: 'x' })).toBeUndefined()
  expect(problemOf({ anyOf: [{ $ref: '#' }, { $ref: '#' }] }, { q: 'x' })).toBeUndefined()
  const part = (required: string) => ({ required: [required], properties: { n: { $ref: '#/$defs/t' } } })
  let deep: Record<string, unknown> = {}
  for (let n = 0; n < 500; n += 1) deep = { n: deep }
  expect(problemOf({ $defs: { t: { anyOf: [part('y'), part('z')] } }, $ref: '#/$defs/t' }, deep)).toBeUndefined()
})
