import { type NatsPermissions, permissionsOf, readerSubjects } from './permissions.ts'
import { EVENT_STREAM, eventsFrom, JETSTREAM_API, NATS_ADMIN, teamDurable, teamUser } from './subjects.ts'
import type { NatsTeam } from './teams.ts'
import { SERVICES, type ServiceName } from './topology.ts'

export interface NatsUser {
  readonly user: string
  readonly password: string
  /** Without permissions everything within the account is allowed. */
  readonly permissions?: NatsPermissions | undefined
}

/** As in the configuration of nats-server. Only what is imported crosses from one account to another. */
export interface NatsAccount {
  readonly jetstream?: 'enabled'
  readonly users: readonly NatsUser[]
  readonly exports?: readonly object[]
  readonly imports?: readonly object[]
}
/** Included by nats.conf: the accounts of teams, which change while the server runs. */
export const TEAMS_CONF = 'teams.conf'
export type NatsAccounts = Readonly<Record<string, NatsAccount>>

const EVENTS = 'EVENTS'
export const SERVICE_ACCOUNT = 'SERVICES'
const stream = EVENT_STREAM.name
const ofApi = (verb: string, durable: string) => `${JETSTREAM_API.own}.CONSUMER.${verb}.${stream}.${durable}`
const streamInfo = (prefix: string) => `${prefix}.STREAM.INFO.${stream}`

/**
 * JetStream has an account of its own, with nobody in it but the administrator. It answers to whatever subject a request or an
 * acknowledgement names for the reply, whether or not the sender may publish there: within one account the reader of a durable
 * could have it empty or delete the stream. Across accounts the answer can only come back to the account of the sender.
 */
export function natsAccounts(passwordOf: (user: ServiceName | typeof NATS_ADMIN) => string): NatsAccounts {
  const users = SERVICES.map((user) => ({ user, password: passwordOf(user), permissions: permissionsOf(user) }))
  return {
    [EVENTS]: {
      jetstream: 'enabled',
      users: [{ user: NATS_ADMIN, password: passwordOf(NATS_ADMIN) }],
      exports: [
        ...EVENT_STREAM.subjects.map((subject) => ({ service: subject })),
        { service: streamInfo(JETSTREAM_API.own) },
        { service: ofApi('INFO', '*') },
        { service: ofApi('MSG.NEXT', '*'), response: 'stream' },
        { service: `$JS.ACK.${stream}.*.>` },
      ],
    },
    [SERVICE_ACCOUNT]: {
      users,
      // What services publish is heard in their own account and stored by the other one.
      exports: EVENT_STREAM.subjects.map((subject) => ({ stream: subject })),
      imports: [
        ...EVENT_STREAM.subjects.map(importedService),
        { ...importedService(streamInfo(JETSTREAM_API.own)), to: streamInfo(JETSTREAM_API.imported) },
        ...readerImports('*'),
      ],
    },
  }
}

/** An account for each team: it reaches its own durables and hears the events that it may read, and nothing else. */
export const teamAccounts = (teams: readonly NatsTeam[]): NatsAccounts =>
  Object.fromEntries(teams.map((team) => [teamUser(team.name), teamAccount(team)]))

function teamAccount({ name, password, events }: NatsTeam): NatsAccount {
  const user = teamUser(name)
  const durables = events.map((owner) => teamDurable(name, owner))
  const permissions: NatsPermissions = {
    publish: { allow: durables.flatMap(readerSubjects) },
    subscribe: { allow: [...events.map(eventsFrom), `_INBOX.${user}.>`] },
  }
  return {
    users: [{ user, password, permissions }],
    imports: [
      ...durables.flatMap(readerImports),
      ...events.map((owner) => ({ stream: { account: SERVICE_ACCOUNT, subject: eventsFrom(owner) } })),
    ],
  }
}

const importedService = (subject: string) => ({ service: { account: EVENTS, subject } })

function readerImports(durable: string): object[] {
  const [info = '', next = '', ack = ''] = readerSubjects(durable)
  return [
    { ...importedService(ofApi('INFO', durable)), to: info },
    { ...importedService(ofApi('MSG.NEXT', durable)), to: next },
    importedService(ack),
  ]
}
