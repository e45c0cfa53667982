import { natsAccounts, teamAccounts } from '@youworker/contracts/topology/accounts'
import { permissionsOf, readerSubjects } from '@youworker/contracts/topology/permissions'
import { EVENT_STREAM, JETSTREAM_API, NATS_ADMIN, teamDurable } from '@youworker/contracts/topology/subjects'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { NEIGHBOURS, SERVICES } from '@youworker/contracts/topology/topology'
import { silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { AckPolicy, connect, type JetStreamManager, type NatsConnection, nuid } from 'nats'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { ensureEventStream } from './ensure-event-stream.ts'
import { replayTeam } from './team-durables.ts'

// JetStream answers on whatever subject a request names for the reply, with JSON, a copy of an event or nothing. Nobody may have
// it act through such an answer.

const team: NatsTeam = { name: 'reports', password: 'team-reports-pw', events: ['group'] }
const teams: NatsTeam[] = [team, { name: 'others', password: 'team-others-pw', events: ['group', 'ingestion'] }]
const stream = EVENT_STREAM.name
const stack = new AsyncDisposableStack()
let server: TestNats | undefined
let manager: JetStreamManager
let admin: NatsConnection

async function login(user: string): Promise<NatsConnection> {
  const servers = new URL(server?.url ?? '').host
  return connect({ servers, user, pass: `${user}-pw`, inboxPrefix: `_INBOX.${user}`, reconnect: false })
}

beforeEach(async () => {
  server ??= stack.use(await testNats({ accounts: { ...natsAccounts((user) => `${user}-pw`), ...teamAccounts(teams) } }))
  await ensureEventStream({ url: server.urlOf(NATS_ADMIN), logger: silentLogger(), teams })
  admin = await login(NATS_ADMIN)
  manager = await admin.jetstreamManager()
  await manager.consumers.add(stream, { durable_name: 'victim', ack_policy: AckPolicy.Explicit })
  return () => admin.close()
})
afterAll(() => stack.disposeAsync())

const readers = [
  ...SERVICES.flatMap((service) => {
    const [event] = NEIGHBOURS[service].consumes
    return event === undefined ? [] : [{ user: service, durable: service, subject: event.subject }]
  }),
  { user: 'team-reports', durable: teamDurable('reports', 'group'), subject: 'events.group.v1.group.deleted' },
]

test.each(readers)(
  '$user cannot have JetStream change the stream or a durable by its answers',
  async ({ user, durable, subject }) => {
    await using reader = new Reader(await login(user), user, durable)
    const [info = '', next = ''] = readerSubjects(durable)
    const { messages: before } = (await manager.streams.info(stream)).state
    let sent = 0
    const send = async () => void (await admin.jetstream().publish(subject, JSON.stringify({ sent: ++sent })))
    for (const target of [
      `$JS.API.STREAM.PURGE.${stream}`,
      `$JS.API.STREAM.DELETE.${stream}`,
      `${JETSTREAM_API.imported}.STREAM.DELETE.${stream}`,
      `$JS.API.CONSUMER.DELETE.${stream}.victim`,
      `$JS.ACK.${stream}.victim.1.1.1.1.0`,
      'events.auth.v1.user.deleted',
      subject,
    ]) {
      reader.core.publish(await reader.nextEvent(send), '+ACK', { reply: target })
      reader.core.publish(info, '', { reply: target })
      await send()
      // One pull gets an event, the other, when there is none left, an empty message.
      for (let pull = 0; pull < 2; pull++)
        reader.core.publish(next, JSON.stringify({ batch: 1, no_wait: true }), { reply: target })
    }
    // The server has done all of it when it answers what came later.
    expect((await reader.core.request(await reader.nextEvent(send), '+ACK')).data).toHaveLength(0)
    expect((await manager.streams.info(stream)).state.messages).toBe(before + sent)
    const victim = await manager.consumers.info(stream, 'victim')
    expect([victim.ack_floor.stream_seq, victim.num_pending]).toEqual([0, before + sent])
  },
)

const foreignSubjects = (user: string) => [
  '>',
  ...['rpc', 'rpc.auth', 'runs', 'wake', 'events', 'events.auth', '_INBOX', '_INBOX.gateway', '$SRV', '$JS'].map(
    (prefix) => `${prefix}.>`,
  ),
  'events.*.v1.group.created',
  'events.ingestion.v1.run.finished',
  '$JS.EVENT.ADVISORY.>',
  `_INBOX.${user}`,
]
const foreignRequests = (durable: string) => {
  const apis = Object.values(JETSTREAM_API)
  const others = [...SERVICES, teamDurable('others', 'group'), 'victim']
  return [
    ...SERVICES.flatMap((service) => permissionsOf(service).publish.allow.map((subject) => subject.replace(/[*>]$/, 'x'))),
    'events.group.v1.group.created',
    '_INBOX.team-others.x',
    ...apis.flatMap((api) => [
      ...['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'INFO', 'MSG.GET', 'MSG.DELETE', 'SNAPSHOT'].map(
        (verb) => `${api}.STREAM.${verb}.${stream}`,
      ),
      `${api}.STREAM.CREATE.SPY`,
      `${api}.DIRECT.GET.${stream}`,
      `${api}.CONSUMER.CREATE.${stream}`,
      ...[durable, ...others].flatMap((name) => [
        `${api}.CONSUMER.CREATE.${stream}.${name}`,
        `${api}.CONSUMER.CREATE.${stream}.${name}.events.>`,
        `${api}.CONSUMER.DURABLE.CREATE.${stream}.${name}`,
        `${api}.CONSUMER.DELETE.${stream}.${name}`,
      ]),
      ...others.map((name) => `${api}.CONSUMER.MSG.NEXT.${stream}.${name}`),
    ]),
    ...others.map((name) => `$JS.ACK.${stream}.${name}.1.1.1.1.0`),
  ]
}

test('a team hears and reads the events that it may, publishes nothing, and sees nothing else', async () => {
  const durable = teamDurable(team.name, 'group')
  await using reader = new Reader(await login('team-reports'), 'team-reports', durable)
  const refused = new Set<string>()
  void (async () => {
    for await (const { permissionContext } of reader.core.status()) if (permissionContext) refused.add(permissionContext.subject)
  })()
  const heard: string[] = []
  reader.core.subscribe('events.group.>', { callback: (_, { subject }) => void heard.push(subject) })
  const forbidden = [...foreignSubjects('team-reports'), ...foreignRequests(durable)]
  for (const subject of foreignSubjects('team-reports')) reader.core.subscribe(subject, { callback: () => {} })
  for (const subject of foreignRequests(durable)) reader.core.publish(subject, '{}')
  await waitFor(async () => refused.size >= new Set(forbidden).size, { what: 'all refusals', timeoutMs: 10_000 }).catch(() => {})
  expect(forbidden.filter((subject) => !refused.has(subject))).toEqual([])

  const group = await login('group')
  const analytics = await login('ingestion')
  const body = JSON.stringify({ n: nuid.next() })
  await analytics.request('events.ingestion.v1.run.finished', body)
  const ack = await reader.nextEvent(async () => void (await group.request('events.group.v1.group.created', body)))
  expect(ack).toContain(`$JS.ACK.${stream}.${durable}.`)
  await waitFor(() => heard.length > 0, { what: 'the live event' })
  expect(new Set(heard)).toEqual(new Set(['events.group.v1.group.created']))
  expect((await manager.consumers.info(stream, durable)).config.filter_subject).toBe('events.group.>')
  await Promise.all([group.close(), analytics.close()])
})

test('a removed team loses its durables, and a replay begins where it is told to', async () => {
  const options = { url: server?.urlOf(NATS_ADMIN) ?? '', logger: silentLogger() }
  const names = async () => (await Array.fromAsync(manager.consumers.list(stream))).map(({ name }) => name).sort()
  expect(await names()).toEqual(expect.arrayContaining(['team-others_group', 'team-others_ingestion', 'team-reports_group']))
  await ensureEventStream(options)
  expect(await names()).toContain('team-others_group')
  const last = (await manager.streams.info(stream)).state.last_seq
  for (let sent = 1; sent <= 3; sent++) await admin.jetstream().publish('events.group.v1.group.created', JSON.stringify({ sent }))
  expect(await replayTeam({ ...options, team: 'reports', from: last + 3 })).toEqual(['team-reports_group'])
  expect((await manager.consumers.info(stream, 'team-reports_group')).num_pending).toBe(1)
  expect(await replayTeam({ ...options, team: 'report', from: 1 })).toEqual([])
  await replayTeam({ ...options, team: 'reports', from: new Date(Date.now() - 3_600_000) })
  expect((await manager.consumers.info(stream, 'team-reports_group')).num_pending).toBeGreaterThanOrEqual(3)
  await ensureEventStream({ ...options, teams: [team] })
  expect(await names()).not.toContain('team-others_group')
  expect(await names()).toContain('team-reports_group')
})

class Reader implements AsyncDisposable {
  readonly core: NatsConnection
  readonly #inbox: string
  readonly #next: string
  readonly #acks: string[] = []

  constructor(core: NatsConnection, user: string, durable: string) {
    this.core = core
    this.#inbox = `_INBOX.${user}.${nuid.next()}`
    this.#next = readerSubjects(durable)[1] ?? ''
    core.subscribe(this.#inbox, { callback: (_, { reply }) => void (reply && this.#acks.push(reply)) })
  }

  /** Where to acknowledge the next event. An earlier pull may still take one of those that `send` publishes. */
  async nextEvent(send: () => Promise<void>): Promise<string> {
    await send()
    this.core.publish(this.#next, JSON.stringify({ batch: 1, expires: 60_000_000_000 }), { reply: this.#inbox })
    await waitFor(
      async () => {
        if (this.#acks.length === 0) await send()
        return this.#acks.length > 0
      },
      { what: 'an event' },
    )
    return this.#acks.shift() ?? ''
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.core.close()
  }
}
