import { ingestion } from '@youworker/contracts/ingestion'
import { requestsOf } from '@youworker/contracts/define'
import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { callersOf } from '@youworker/contracts/topology/permissions'
import {
  EVENT_STREAM,
  JETSTREAM_API,
  liveSubject,
  ownerOf,
  replySubject,
  wakeSubject,
} from '@youworker/contracts/topology/subjects'
import { CONTRACTS, NEIGHBOURS, SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { Person } from './support/person.ts'
import { RawNats } from './support/raw-nats.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

// Somebody has the NATS password of one service. Each attack is tried as every service, on the generated configuration.

const stack = new AsyncDisposableStack()
let system: TestSystem
beforeAll(async () => void (system = stack.use(await startTestSystem())), 120_000)
afterAll(() => stack.disposeAsync())

const as = async (service: ServiceName) => RawNats.connect(system.running.natsUrlOf(service))
const requests = Object.values(CONTRACTS).flatMap((contract) => requestsOf(contract).map(([, { subject }]) => subject))

/** A message on a subject of one's own that names another subject as its reply: with `allow_responses` this grants the reply. */
async function grantsItselfAReply(user: RawNats, service: ServiceName, target: string): Promise<boolean> {
  const own = wakeSubject(service, 'attack')
  const granted = new Promise<void>((resolve) => {
    user.core.subscribe(own, { max: 1, callback: () => resolve() })
  })
  user.core.publish(own, '{}', { reply: target })
  await granted
  return !(await user.isPublishRefused(target))
}

test.each(SERVICES)('%s cannot publish where the topology does not let it, not even as a reply', async (service) => {
  await using user = await as(service)
  const allowed = new Set(NEIGHBOURS[service].calls.map(({ subject }) => subject))
  const foreign = [
    ...requests.filter((subject) => !allowed.has(subject)),
    ...SERVICES.filter((other) => other !== service).flatMap((other) => [
      `events.${other}.v1.audit.recorded`,
      wakeSubject(other, 'run'),
    ]),
    ...(service === 'chat-agent' ? [] : [liveSubject(newId())]),
  ]
  for (const subject of foreign) {
    expect(await user.isPublishRefused(subject), subject).toBe(true)
    expect(await grantsItselfAReply(user, service, subject), `${subject} as a reply`).toBe(false)
  }
})

test.each(SERVICES)('%s can answer its callers in its own name only', async (service) => {
  await using user = await as(service)
  for (const caller of SERVICES) {
    for (const callee of SERVICES) {
      const isMine = callee === service && [service, ...callersOf(service)].includes(caller)
      const subject = replySubject(caller, callee, `${newId()}.1`)
      expect(await user.isPublishRefused(subject), subject).toBe(!isMine)
    }
    expect(await user.isPublishRefused(`_INBOX.${caller}.${newId()}`)).toBe(true)
  }
})

test.each(SERVICES)('%s can neither change the stream nor make or widen a durable', async (service) => {
  await using user = await as(service)
  const stream = EVENT_STREAM.name
  const widened = JSON.stringify({ name: stream, subjects: ['events.>', 'rpc.>'], storage: 'file' })
  const durable = JSON.stringify({ stream_name: stream, config: { durable_name: service, ack_policy: 'explicit' } })
  const attempts: [verb: string, payload: string][] = [
    ...['STREAM.CREATE', 'STREAM.UPDATE'].map((verb): [string, string] => [`${verb}.${stream}`, widened]),
    ['STREAM.CREATE.SPY', JSON.stringify({ name: 'SPY', subjects: [auth.createSession.subject], storage: 'memory' })],
    ...['STREAM.DELETE', 'STREAM.PURGE', 'STREAM.MSG.GET', 'STREAM.MSG.DELETE', 'DIRECT.GET', 'STREAM.SNAPSHOT'].map(
      (verb): [string, string] => [`${verb}.${stream}`, '{}'],
    ),
    ...SERVICES.flatMap((name): [string, string][] => [
      [`CONSUMER.CREATE.${stream}.${name}`, durable],
      [`CONSUMER.CREATE.${stream}.${name}.events`, durable],
      [`CONSUMER.DURABLE.CREATE.${stream}.${name}`, durable],
      [`CONSUMER.DELETE.${stream}.${name}`, ''],
      ...(name === service ? [] : ([[`CONSUMER.MSG.NEXT.${stream}.${name}`, '']] satisfies [string, string][])),
    ]),
  ]
  for (const api of Object.values(JETSTREAM_API))
    for (const [verb, payload] of attempts) expect(await user.isPublishRefused(`${api}.${verb}`, payload), verb).toBe(true)
  const consumes = NEIGHBOURS[service].consumes.length > 0
  expect(await user.isPublishRefused(`${JETSTREAM_API.imported}.CONSUMER.INFO.${stream}.${service}`)).toBe(!consumes)
  expect(await user.isPublishRefused(`${JETSTREAM_API.own}.CONSUMER.INFO.${stream}.${service}`)).toBe(true)
})

test('the durable of a service holds only events that it consumes, or, before nats-server 2.10, one pattern over them', async () => {
  await using admin = await RawNats.connect(system.running.natsAdminUrl)
  const { consumers, streams } = await admin.core.jetstreamManager()
  expect((await streams.info(EVENT_STREAM.name)).config.subjects).toEqual(EVENT_STREAM.subjects)
  const names = new Set<string>()
  for await (const { name, config } of consumers.list(EVENT_STREAM.name)) {
    names.add(name)
    const filters = config.filter_subjects ?? [config.filter_subject ?? '>']
    const owners = new Set(NEIGHBOURS[name as ServiceName].consumes.map(({ subject }) => ownerOf(subject)))
    expect(filters).not.toContain('>')
    if (owners.size === 1) for (const filter of filters) expect(owners).toContain(ownerOf(filter))
  }
  expect([...names].sort()).toEqual(SERVICES.filter((name) => NEIGHBOURS[name].consumes.length > 0).sort())
})

test('no key, session secret or password is in any message, whoever could read it', async () => {
  await using watcher = await RawNats.connect(system.running.natsWatcherUrl)
  const messages: string[] = []
  watcher.core.subscribe('>', {
    callback: (_, { subject, data, headers }) => {
      const lines = Array.from(headers ?? [], ([name, values]) => `${name}: ${values.join()}`)
      messages.push([subject, ...lines, Buffer.from(data).toString('latin1')].join('\n'))
    },
  })
  await watcher.core.flush()
  const password = `a very long password ${newId()}`
  const root = system.root
  const made = (await root.post('/v1/admin/users', { username: 'watched', password })).body
  const browser = new Browser(system.api)
  await browser.signIn('watched', password)
  expect((await browser.call('GET', '/v1/auth/me')).status).toBe(200)
  const wrong = `yw_${newId()}`
  expect((await new Person(system.api, '', wrong).get('/v1/auth/me')).status).toBe(401)
  await new Person(system.api, '', made.api_key).chat('Hello')
  const ofModels = `sk-${newId()}`
  const backend = { name: 'watched', protocol: 'openai', base_url: 'http://127.0.0.1:1/v1', api_key: ofModels }
  const added = await root.post('/v1/admin/models/backends', backend)
  expect(added.body).toMatchObject({ has_api_key: true })
  const changed = await root.call('PATCH', `/v1/admin/models/backends/${added.body.id}`, { api_key: `${ofModels}2` })
  expect(changed.body).toMatchObject({ has_api_key: true })
  await watcher.core.flush()
  const secrets = {
    root: root.key ?? '',
    made: made.api_key,
    wrong,
    ofModels,
    password,
    cookie: browser.cookies.get('youworker_token') ?? '',
  }
  for (const secret of Object.values(secrets)) expect(secret.length).toBeGreaterThan(20)
  const all = messages.join('\n')
  expect(all).toContain(auth.createSession.subject)
  expect(all).toContain(auth.createUser.subject)
  expect(all).toContain(chatAgent.createModelBackend.subject)
  expect(Object.entries(secrets).flatMap(([name, secret]) => (all.includes(secret) ? [name] : []))).toEqual([])
})

test('after all of it the system answers, and a group’s documents are still there', async () => {
  const root = system.root
  const uploaded = await root.upload([{ name: 'kept.md', content: '# Kept\n\nThe walls held.' }])
  expect(uploaded.body.success).toBe(true)
  await using user = await as('tools')
  await user.isPublishRefused(
    ingestion.deleteDocument.subject,
    JSON.stringify({ document_id: uploaded.body.files[0].document_id }),
  )
  await waitFor(async () => (await root.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
  expect((await root.post('/v1/search', { query: 'walls held' })).body.results).toHaveLength(1)
})
