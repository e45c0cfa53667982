import { type Event, eventsOf } from '@youworker/contracts/define'
import { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { CONTRACTS, NEIGHBOURS, SERVICES } from '@youworker/contracts/topology/topology'
import { exampleOf } from '@youworker/contracts/topology/asyncapi'
import { z } from 'zod'

type JsonSchema = z.core.JSONSchema.JSONSchema

const HEAD = `# Events

Generated from \`packages/contracts\` by \`npm run contracts:accept\`: do not edit.

Every event is one message on the NATS stream \`EVENTS\`, on the subject that is its name, as CloudEvents 1.0 JSON; the fields listed below are
its \`data\`. It is sent after the change that it reports is committed, at least once: remember the \`id\`s whose effect you have made.
Events carry ids, counts and flags, never text of users. _Consumed_ means by one replica, whose effect is made once; _read_ means by every
replica, for its caches and open streams. How another team reads them: [operations](operations.md#other-teams-that-read-events).`

/** Renders docs/events.md with every event of every contract. */
export function renderEvents(): string {
  const services = SERVICES.flatMap((service) => {
    const events = eventsOf(CONTRACTS[service] ?? {})
    return events.length === 0 ? [] : [`## ${service}`, ...events.map(([, event]) => renderEvent(event))]
  })
  return `${[HEAD, `## The envelope`, fieldsOf(EventEnvelope), ...services].join('\n\n')}\n`
}

function renderEvent(event: Event): string {
  const { subject, when, payload } = event
  const example = JSON.stringify(exampleOf(z.toJSONSchema(payload)))
  return [`### \`${subject}\``, when, fieldsOf(payload), `Example: \`${example}\``, whoGets(event)].join('\n\n')
}

function whoGets({ subject }: Event): string {
  const services = (role: 'consumes' | 'subscribes') =>
    SERVICES.filter((service) => NEIGHBOURS[service][role].some((event) => event.subject === subject))
  const consumers = services('consumes')
  const readers = services('subscribes')
  const lines = [
    ...(consumers.length > 0 ? [`Consumed by ${consumers.join(', ')}.`] : []),
    ...(readers.length > 0 ? [`Read by ${readers.join(', ')}.`] : []),
  ]
  return lines.length > 0 ? lines.join(' ') : 'No service here uses it.'
}

/** A code block with name and type of each field, in columns. */
function fieldsOf(payload: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(payload)
  const names = Object.keys(properties)
  const width = Math.max(...names.map((name) => name.length))
  const lines = names.map((name) => {
    const property = properties[name]
    const type = typeof property === 'object' ? typeOf(property) : 'anything'
    return `${name.padEnd(width)}  ${type}${required.includes(name) ? '' : ', optional'}`
  })
  return ['```text', ...lines, '```'].join('\n')
}

function typeOf({ const: only, enum: values, anyOf, format, type }: JsonSchema): string {
  if (only !== undefined) return JSON.stringify(only)
  if (values) return values.map((value) => JSON.stringify(value)).join(' | ')
  if (anyOf) return anyOf.map((each) => (typeof each === 'object' ? typeOf(each) : 'anything')).join(' | ')
  return format ?? (typeof type === 'string' ? type : 'anything')
}
