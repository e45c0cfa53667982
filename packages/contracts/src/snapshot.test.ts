import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Contract, eventsOf, requestsOf } from './define.ts'
import { EventEnvelope } from './topology/event-envelope.ts'
import { healthContract } from './health.ts'
import { CONTRACTS, SERVICES } from './topology/topology.ts'

const FILE = new URL('../contracts.snapshot.json', import.meta.url)

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

test('contracts match the committed snapshot; accept an intended change with npm run contracts:accept', async () => {
  const now = JSON.parse(JSON.stringify(wire()))
  if (process.env['ACCEPT_CONTRACTS'] === '1') await writeFile(FILE, `${JSON.stringify(now, null, 1)}\n`)
  const accepted = JSON.parse(await readFile(FILE, 'utf8'))
  expect(Object.keys(now)).toEqual(Object.keys(accepted))
  for (const [subject, description] of Object.entries(now))
    expect({ [subject]: description }).toEqual({ [subject]: accepted[subject] })
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
