import { z } from 'zod'
import { type Event, eventsOf } from '../define.ts'
import { EventEnvelope } from './event-envelope.ts'
import { EVENT_STREAM, JETSTREAM_API } from './subjects.ts'
import { CONTRACTS, SERVICES } from './topology.ts'

type Json = Record<string, unknown>
type JsonSchema = z.core.JSONSchema.JSONSchema

/** All events as AsyncAPI 3.0, for teams that subscribe on NATS. Payloads are JSON Schema draft 7, the one that AsyncAPI builds on. */
export function buildAsyncApi(): Json {
  const events = SERVICES.flatMap((service) =>
    eventsOf(CONTRACTS[service] ?? {}).map(([name, event]) => ({ id: `${service}.${name}`, service, event })),
  )
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'YouWorker events',
      version: '1',
      description: `What has happened, as CloudEvents 1.0 in JSON. Every event is sent after its change is committed, at least once: remember the ids whose effect you have made. Events carry ids, counts and flags, never text of users. The stream ${EVENT_STREAM.name} keeps them for 7 days; a reader has a durable on it for each service, and asks JetStream under ${JETSTREAM_API.imported}.`,
    },
    defaultContentType: 'application/json',
    servers: {
      nats: { host: 'localhost:4222', protocol: 'nats', description: `JetStream, stream ${EVENT_STREAM.name}` },
    },
    channels: Object.fromEntries(
      events.map(({ id, event }) => [
        id,
        { address: event.subject, messages: { event: { $ref: `#/components/messages/${id}` } } },
      ]),
    ),
    operations: Object.fromEntries(
      events.map(({ id, service, event }) => [
        id,
        {
          action: 'send',
          channel: { $ref: `#/channels/${id}` },
          messages: [{ $ref: `#/channels/${id}/messages/event` }],
          summary: event.when,
          tags: [{ name: service }],
        },
      ]),
    ),
    components: { messages: Object.fromEntries(events.map(({ id, service, event }) => [id, messageOf(service, event)])) },
  }
}

function messageOf(service: string, { subject, when, payload }: Event): Json {
  const envelope = EventEnvelope.extend({ type: z.literal(subject), source: z.literal(service), data: payload })
  const { $schema: _dialect, ...schema } = z.toJSONSchema(envelope, { target: 'draft-07' })
  return {
    name: subject,
    summary: when,
    contentType: 'application/json',
    payload: schema,
    examples: [{ payload: exampleOf(schema) }],
  }
}

/** A value of the schema, with every field. */
export function exampleOf(schema: JsonSchema): unknown {
  const { const: only, enum: values, anyOf, examples, format } = schema
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  if (only !== undefined) return only
  if (Array.isArray(examples)) return examples[0] as unknown
  if (values) return values[0]
  if (anyOf) return exampleOf(asSchema(anyOf[0]))
  if (type === 'object')
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, field]) => [name, exampleOf(asSchema(field))]))
  if (type === 'array') return [exampleOf(asSchema(Array.isArray(schema.items) ? schema.items[0] : schema.items))]
  if (type === 'boolean') return true
  if (type === 'integer' || type === 'number') return Math.max(schema.minimum ?? 0, 1)
  if (format === 'uuid') return '019ad0b2-3f60-7c51-8a4e-5d3f9b1c2e7a'
  if (format === 'date-time') return '2026-01-31T09:30:00.000Z'
  if (type === 'string') return 'text'
  throw new Error(`no example for a field of this shape: ${JSON.stringify(schema)}`)
}

const asSchema = (schema: JsonSchema | boolean | undefined): JsonSchema => (typeof schema === 'object' ? schema : {})
