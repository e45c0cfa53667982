import { expect, test } from 'vitest'
import { z } from 'zod'
import { requestsOf } from './define.ts'
import { CONTRACTS } from './topology/topology.ts'

/** Fields of requests that others are shown as a name. */
const NAMES = new Set(['name', 'title', 'collection', 'tags', 'username'])
/** They look for a name and store none. */
const LOOK_UPS = ['session.create.username', 'user.look-up', 'member.add', 'document.list', 'search.query', 'search.explain']
const TURNED = 'invoice\u202Efdp.exe\u2066\u200F\u061C'
const BIDI = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/

/** Each field called like a name, at any depth, with its path. */
function* nameFields(schema: z.ZodType, path: string): Generator<[string, z.ZodType]> {
  if (schema instanceof z.ZodObject) {
    for (const [key, field] of Object.entries(schema.shape) as [string, z.ZodType][]) {
      if (NAMES.has(key)) yield [`${path}.${key}`, field]
      else yield* nameFields(field, `${path}.${key}`)
    }
  } else if (schema instanceof z.ZodArray) yield* nameFields(schema.element as z.ZodType, `${path}[]`)
  else if (schema instanceof z.ZodUnion) for (const option of schema.options) yield* nameFields(option as z.ZodType, path)
  else if ('unwrap' in schema && typeof schema.unwrap === 'function') yield* nameFields(schema.unwrap(), path)
}

const fields = Object.values(CONTRACTS).flatMap((contract) =>
  requestsOf(contract).flatMap(([, { subject, input }]) => [...nameFields(input, subject.replace(/^.*\.v1\./, ''))]),
)

test('there are names', () => expect(fields.length).toBeGreaterThan(8))

test.each(fields)('%s has nothing that turns the direction of text', (path, field) => {
  if (LOOK_UPS.some((subject) => path.startsWith(subject))) return
  const outcomes = [TURNED, [TURNED]].map((value) => field.safeParse(value))
  const taken = outcomes.filter(({ success }) => success)
  expect(JSON.stringify(taken.map(({ data }) => data))).not.toMatch(BIDI)
  // A username refuses it; every other name is taken without it.
  expect(taken).toHaveLength(path.endsWith('.username') ? 0 : 1)
})
