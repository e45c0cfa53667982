import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Contract, eventsOf, requestsOf } from '../define.ts'
import { breakingChanges } from './test-breaking-changes.ts'
import { EventEnvelope } from '../topology/event-envelope.ts'
import { healthContract } from '../health.ts'
import { CONTRACTS, SERVICES } from '../topology/topology.ts'

const FILE = new URL('../../contracts.snapshot.json', import.meta.url)

type Io = 'input' | 'output'
/** JSON Schema of a zod schema. Refinements have none, so their messages are added: a new or dropped refinement then shows too. */
const shape = (schema: z.ZodType, io: Io): unknown =>
  z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const custom = (zodSchema._zod.def.checks ?? []).filter(({ _zod }) => _zod.def.check === 'custom')
      if (custom.length > 0) jsonSchema['x-refinements'] = custom.map(refinementText)
    },
  })
const refinementText = ({ _zod }: { _zod: { def: object } }): string => {
  const message = 'error' in _zod.def && typeof _zod.def.error === 'function' ? String(_zod.def.error({})) : 'no message'
  return message
}

function describeContract(contract: Contract): [string, unknown][] {
  const requests = requestsOf(contract).map(([name, { subject, input, output, ...rest }]): [string, unknown] => [
    subject,
    { name, ...rest, errors: [...rest.errors].sort(), input: shape(input, 'input'), output: shape(output, 'output') },
  ])
  const events = eventsOf(contract).map(([name, { subject, payload }]): [string, unknown] => [
    subject,
    { name, payload: shape(payload, 'output') },
  ])
  return [...requests, ...events]
}

const wire = (): Record<string, unknown> => ({
  envelope: shape(EventEnvelope, 'output'),
  ...Object.fromEntries(
    [...Object.values(CONTRACTS), ...SERVICES.map(healthContract)].flatMap(describeContract).sort(([a], [b]) => (a < b ? -1 : 1)),
  ),
})

const HOW_TO_CHANGE_AN_EVENT =
  'Readers, and the events of the last 7 days, have the shape of before. Make what is new an optional field, or send a second event ' +
  'with the new shape on a subject with v2 beside v1, which goes a release later. contracts:accept does not accept this'

type Wire = Record<string, { payload?: z.core.JSONSchema.JSONSchema }>
/** Every change that breaks readers of an event that there was before. */
const brokenEvents = (before: Wire, now: Wire): string[] =>
  Object.entries(before).flatMap(([subject, { payload }]) => {
    const fresh = now[subject]?.payload
    return payload && fresh ? breakingChanges(payload, fresh).map((change) => `${subject}: ${change}`) : []
  })

test('contracts match the committed snapshot; accept an intended change with npm run contracts:accept', async () => {
  const now = JSON.parse(JSON.stringify(wire()))
  expect(brokenEvents(JSON.parse(await readFile(FILE, 'utf8')), now), HOW_TO_CHANGE_AN_EVENT).toEqual([])
  if (process.env['ACCEPT_CONTRACTS'] === '1') await writeFile(FILE, `${JSON.stringify(now, null, 1)}\n`)
  const accepted = JSON.parse(await readFile(FILE, 'utf8'))
  expect(Object.keys(now)).toEqual(Object.keys(accepted))
  for (const [subject, description] of Object.entries(now))
    expect({ [subject]: description }).toEqual({ [subject]: accepted[subject] })
})

test('an event may get a further optional field; every other change of its payload breaks readers', () => {
  const base = z.object({
    id: z.uuid(),
    count: z.number(),
    note: z.string().optional(),
    of: z.object({ kind: z.enum(['a', 'b']) }),
  })
  const changes = (payload: z.ZodType) => {
    const [before, now] = [base, payload].map((each): Wire => ({ 'events.x.v1.y.z': { payload: z.toJSONSchema(each) } }))
    return brokenEvents(before ?? {}, now ?? {})
  }
  expect(changes(base)).toEqual([])
  expect(changes(base.extend({ further: z.number().optional() }))).toEqual([])
  expect(changes(base.extend({ count: z.number().describe('How many') }))).toEqual([])
  expect(changes(base.omit({ note: true }))).toEqual(['events.x.v1.y.z: data.note is gone'])
  expect(changes(base.extend({ further: z.number() }))).toEqual([
    'events.x.v1.y.z: data.further is required, and was not there before',
  ])
  expect(changes(base.partial({ id: true }))).toEqual(['events.x.v1.y.z: data.id may be missing now'])
  for (const count of [z.number().max(5), z.int(), z.number().nullable(), z.string()])
    expect(changes(base.extend({ count }))).toEqual(['events.x.v1.y.z: data.count has another type'])
  for (const kind of [z.enum(['a']), z.enum(['a', 'b', 'c'])])
    expect(changes(base.extend({ of: z.object({ kind }) }))).toEqual(['events.x.v1.y.z: data.of.kind has another type'])
})

test('a changed field, default or refinement changes the snapshot', () => {
  const base = z.object({ name: z.string().max(5), role: z.string().default('member') })
  const text = (schema: z.ZodType) => JSON.stringify([shape(schema, 'input'), shape(schema, 'output')])
  const changed = [
    base.extend({ name: z.string().max(6) }),
    base.extend({ name: z.string().optional() }),
    base.extend({ role: z.string().default('admin') }),
    base.refine(({ name }) => name !== '', 'no name'),
    base.refine(({ name }) => name !== '', 'another rule'),
  ].map(text)
  expect(new Set([text(base), ...changed]).size).toBe(6)
})
