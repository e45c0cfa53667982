import { eventsOf } from '../define.ts'
import { EVENT_STREAM } from './subjects.ts'
import { CONTRACTS, NEIGHBOURS, type ServiceName } from './topology.ts'

export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[] }
  /** Lets a service publish to the reply subject of a request that it received. */
  readonly allow_responses: true
}

/** Permissions of a service's NATS user: to serve its own subjects, and to call and subscribe to those in its topology entry. */
export function permissionsOf(service: ServiceName): NatsPermissions {
  const { calls, consumes, subscribes } = NEIGHBOURS[service]
  const publishesEvents = eventsOf(CONTRACTS[service] ?? {}).length > 0
  const stream = EVENT_STREAM.name
  const streams = publishesEvents || consumes.length > 0
  const publish = [
    ...calls.map(({ subject }) => subject),
    `wake.${service}.>`,
    ...(service === 'chat-agent' ? ['runs.*'] : []),
    ...(publishesEvents ? [`events.${service}.>`] : []),
    ...(streams ? ['$JS.API.INFO', ...['INFO', 'CREATE', 'UPDATE'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`)] : []),
    ...(consumes.length > 0 ? consumerSubjects(stream, service) : []),
  ]
  const subscribe = [
    `rpc.${service}.>`,
    '$SRV.>',
    `_INBOX.${service}.>`,
    `wake.${service}.>`,
    ...(service === 'gateway' ? ['runs.*'] : []),
    ...subscribes.map(({ subject }) => subject),
  ]
  return {
    publish: { allow: [...new Set(publish)].sort() },
    subscribe: { allow: [...new Set(subscribe)].sort() },
    allow_responses: true,
  }
}

const consumerSubjects = (stream: string, durable: string): string[] => [
  ...['CREATE', 'DURABLE.CREATE', 'INFO', 'MSG.NEXT'].flatMap((verb) => [
    `$JS.API.CONSUMER.${verb}.${stream}.${durable}`,
    `$JS.API.CONSUMER.${verb}.${stream}.${durable}.>`,
  ]),
  `$JS.ACK.${stream}.${durable}.>`,
]
