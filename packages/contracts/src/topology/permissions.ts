import { eventsOf } from '../define.ts'
import { EVENT_STREAM, JETSTREAM_API, ownerOf, readySubject, replySubject } from './subjects.ts'
import { CONTRACTS, NEIGHBOURS, SERVICES, type ServiceName } from './topology.ts'

export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[] }
}

/** The services that call one of this service's requests. */
export const callersOf = (service: ServiceName): ServiceName[] =>
  SERVICES.filter((caller) => NEIGHBOURS[caller].calls.some(({ subject }) => ownerOf(subject) === service))

/**
 * What one service's NATS user may do: serve its own subjects, answer its callers, call and receive what the topology names.
 * Without `allow_responses`: with it a service that may publish and subscribe on any subject of its own can name every other
 * subject as the reply of a message to itself, and publish there. Stream and durables are made by the administrator.
 */
export function permissionsOf(service: ServiceName): NatsPermissions {
  const { calls, consumes, subscribes } = NEIGHBOURS[service]
  const publishesEvents = eventsOf(CONTRACTS[service] ?? {}).length > 0
  const stream = EVENT_STREAM.name
  const publish = [
    ...calls.map(({ subject }) => subject),
    ...[service, ...callersOf(service)].map((caller) => replySubject(caller, service, '>')),
    `wake.${service}.>`,
    readySubject(service),
    ...(service === 'chat-agent' ? ['runs.*'] : []),
    ...(publishesEvents ? [`events.${service}.>`, `${JETSTREAM_API.imported}.STREAM.INFO.${stream}`] : []),
    ...(consumes.length > 0 ? readerSubjects(service) : []),
  ]
  const subscribe = [
    `rpc.${service}.>`,
    '$SRV.>',
    replySubject(service, '>'),
    `wake.${service}.>`,
    ...(service === 'gateway' ? ['runs.*', ...SERVICES.map(readySubject)] : []),
    ...subscribes.map(({ subject }) => subject),
  ]
  return { publish: { allow: [...new Set(publish)].sort() }, subscribe: { allow: [...new Set(subscribe)].sort() } }
}

/** What the reader of a durable publishes: asks for its state, for events, and acknowledges them. */
export const readerSubjects = (durable: string): string[] => [
  `${JETSTREAM_API.imported}.CONSUMER.INFO.${EVENT_STREAM.name}.${durable}`,
  `${JETSTREAM_API.imported}.CONSUMER.MSG.NEXT.${EVENT_STREAM.name}.${durable}`,
  `$JS.ACK.${EVENT_STREAM.name}.${durable}.>`,
]
