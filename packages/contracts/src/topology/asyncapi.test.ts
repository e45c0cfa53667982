import { expect, test } from 'vitest'
import { eventsOf } from '../define.ts'
import { EventEnvelope } from './event-envelope.ts'
import { buildAsyncApi } from './asyncapi.ts'
import { CONTRACTS, SERVICES } from './topology.ts'

const events = SERVICES.flatMap((service) =>
  eventsOf(CONTRACTS[service] ?? {}).map(([name, event]) => ({ id: `${service}.${name}`, service, event })),
)
const { messages } = buildAsyncApi()['components'] as {
  messages: Record<string, { examples: { payload: EventEnvelope }[]; payload: { properties: Record<string, unknown> } }>
}

test('every event has a message', () => {
  expect(events.length).toBeGreaterThan(15)
  expect(Object.keys(messages)).toEqual(events.map(({ id }) => id))
})

test.each(events)('the example of $id is an event that consumers take', ({ id, service, event }) => {
  const example = messages[id]?.examples[0]?.payload
  expect(EventEnvelope.parse(example)).toMatchObject({ source: service, type: event.subject })
  expect(event.payload.parse(example?.data)).toEqual(example?.data)
})

test('no schema refers to another place, where a reader would look in vain', () => {
  expect(JSON.stringify(messages)).not.toContain('$ref')
})
