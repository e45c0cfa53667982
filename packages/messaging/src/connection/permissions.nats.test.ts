import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { natsAccounts } from '@youworker/contracts/topology/accounts'
import { analytics } from '@youworker/contracts/analytics'
import { auth } from '@youworker/contracts/auth'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { permissionsOf } from '@youworker/contracts/topology/permissions'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import { newId } from '@youworker/runtime/id'
import { Readiness } from '@youworker/runtime/health/readiness'
import { silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../requests/client.ts'
import { closeNats, connectNats, type NatsConnection, natsCheck } from './connect.ts'
import { ensureEventStream } from '../events/ensure-event-stream.ts'
import { consumeEvents, createEventPublisher, subscribeEvent, on } from '../events/events.ts'
import { subscribeLive, publishLive } from '../live/live.ts'
import { serve, serveHealth } from '../requests/server.ts'
import { onWake, wake } from '../live/wake.ts'

let server: TestNats
const stack = new AsyncDisposableStack()
const logger = silentLogger()

beforeAll(async () => {
  server = stack.use(await testNats({ accounts: natsAccounts((user) => `${user}-pw`) }))
  await ensureEventStream({ url: server.urlOf(NATS_ADMIN), logger })
})
afterAll(() => stack.disposeAsync())

const as = async (service: ServiceName) =>
  stack.adopt(await connectNats({ url: server.urlOf(service), service, logger }), closeNats)
const unavailable = (pattern: RegExp) =>
  expect.objectContaining({ code: 'SERVICE_UNAVAILABLE', message: expect.stringMatching(pattern) })
const complaint = (nats: NatsConnection) =>
  natsCheck(nats)().then(
    () => undefined,
    (error: Error) => error.message,
  )
const days = { getOverview: { ...analytics.getOverview, auth: 'none' } } as const
const overview = {
  period_days: 1,
  sessions: { total: 0, avg_per_day: 0 },
  messages: { total: 0, avg_per_session: 0 },
  tokens: { total: 0, avg_per_message: 0 },
  tools: { total_runs: 0, success_rate: 0, avg_latency_ms: 0 },
  documents: { total: 0 },
  ingestion: { total_runs: 0 },
}

test('with generated permissions a service serves, and only permitted callers get a reply', async () => {
  const options = { service: 'analytics', verifier: undefined, logger }
  const analyticsNats = await as('analytics')
  stack.use(await serve(analyticsNats, days, { getOverview: async () => overview }, options))
  const readiness = stack.use(new Readiness({ nats: natsCheck(analyticsNats) }))
  stack.use(await serveHealth(analyticsNats, 'analytics', readiness, { logger }))
  expect(await createClient(await as('gateway'), days).getOverview({})).toEqual(overview)
  const refused = createClient(await as('tools'), days)
  await expect(refused.getOverview({})).rejects.toThrow(unavailable(/does not let tools send to/))
  await expect(refused.getOverview({})).rejects.toThrow(unavailable(/does not let tools send to/))
  expect(await createClient(await as('gateway'), days).getOverview({})).toEqual(overview)
})

test('a service that may not serve a subject does not start, and the error names the subject', async () => {
  const nats = await as('tools')
  const start = serve(nats, days, { getOverview: async () => overview }, { service: 'tools', verifier: undefined, logger })
  await expect(start).rejects.toThrow(unavailable(new RegExp(analytics.getOverview.subject.replaceAll('.', '[.]'))))
  await natsCheck(nats)()
})

test('a refused subscription to an event makes the service unhealthy and names the subject; the connection stays up', async () => {
  const nats = await as('tools')
  using _subscription = subscribeEvent(nats, group.memberAdded, () => {})
  const message = await waitFor(() => complaint(nats), { what: 'the check to fail' })
  expect(message).toContain(group.memberAdded.subject)
  await nats.core.flush()
})

test('publishing an event without permission rejects', async () => {
  const publisher = createEventPublisher(await as('group'), { logger })
  const envelope = (type: string) => ({
    specversion: '1.0' as const,
    id: newId(),
    source: 'group',
    type,
    time: new Date().toISOString(),
    datacontenttype: 'application/json' as const,
    data: {},
  })
  await expect(publisher.publish([envelope(auth.userCreated.subject)])).rejects.toThrow(unavailable(/does not let group send to/))
  expect(await publisher.publish([envelope(group.groupDeleted.subject)])).toEqual([1])
})

test('consuming without permission is refused with a reason', async () => {
  const options = { logger, handlers: [on(group.groupDeleted, async () => {})], deadLetter: async () => {} }
  stack.use(await consumeEvents(await as('ingestion'), { service: 'ingestion', ...options }))
  const refused = consumeEvents(await as('tools'), { service: 'tools', ...options })
  await expect(refused).rejects.toThrow(unavailable(/JetStream .* is not usable/))
}, 60_000)

test('live entries and wakes of other services are refused, and the connection stays usable', async () => {
  const nats = await as('group')
  const runId = newId()
  publishLive(nats, runId, { n: 1_000_001, body: { event: 'token', data: { text: '' } } })
  wake(nats, 'ingestion', 'run')
  using _live = subscribeLive(nats, runId, () => {})
  using _wake = onWake(nats, 'ingestion', 'run', () => {})
  expect(await waitFor(() => complaint(nats), { what: 'the check to fail' })).toMatch(/refuses group the subscription/)
  const files = createClient(nats, { readBlob: { ...ingestion.readBlob, auth: 'none' } as const })
  await expect(files.readBlob({ blob_id: newId(), index: 0 })).rejects.toThrow(unavailable(/does not let group send/))
})

const serverProcess = `
  import { group } from '@youworker/contracts/group'
  import { createLogger } from '@youworker/runtime/logger'
  import { connectNats } from './connect.ts'
  import { serve } from '../requests/server.ts'
  const logger = createLogger({ name: 'server process' })
  const nats = await connectNats({ url: process.env.NATS__URL, service: 'group', logger })
  const contract = { listGroups: { ...group.listGroups, auth: 'none' } }
  await serve(nats, contract, { listGroups: async () => ({ groups: [], total: 0 }) }, { service: 'group', verifier: undefined, logger })
  console.log('serving')
`

test('permissions revoked while NATS was down end the process, with the subject in its log', async () => {
  const user = (service: ServiceName) => ({ user: 'group', password: 'pw', permissions: permissionsOf(service) })
  const users = [user('group')]
  const own = stack.use(await testNats({ accounts: { TEST: { users } } }))
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', serverProcess], {
    cwd: import.meta.dirname,
    env: { ...process.env, NATS__URL: own.url },
  })
  stack.defer(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'exit')
  await waitFor(() => output.includes('serving'), { what: 'the server process' })
  await own.stop()
  users[0] = user('analytics')
  await own.start()
  expect((await exit)[0]).toBe(1)
  expect(output).toContain(group.listGroups.subject)
})
