import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { disturbedChat, isRunning, runStart, type SpawnedSystem, spawnSystem } from '../support/spawned-system.ts'
import { type Person, readEvents, textOf } from '../support/person.ts'

const QUESTION = 'In how many days does the Moon orbit the Earth?'
const MONTHS = ['January', 'March', 'May', 'June', 'July', 'August', 'autumn', 'winter', 'spring', 'summer']
let dir: string
let system: SpawnedSystem
let root: Person
/** The answer without a restart. */
let undisturbed: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker rolling '))
  system = await spawnSystem(join(dir, 'data'), ['--no-demo'], { env: { OFFLINE_MODEL__TOKENS_PER_SECOND: '6' } })
  root = system.root
  // Long enough for a restart in the middle of the answer, and nothing in it is said twice: a model that goes on with what it said
  // last cannot be told from one that repeats itself.
  const content = `# Moon\n\nThe Moon orbits the Earth in about twenty-seven days, ${MONTHS.map((month) => `and shows the same face in ${month}, `).join('')}always.\n`
  expect((await root.upload([{ name: 'moon.md', content }])).body.success).toBe(true)
  undisturbed = (await root.chat(QUESTION)).done.content
  expect(undisturbed).toContain('twenty-seven')
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const control = (...args: string[]) => runStart([...args, '--data', system.dataDir])
const namesOf = async (service: string) =>
  (await system.endpoints()).processes.map(({ name }) => name).filter((name) => name.startsWith(`${service}.`))

interface Load {
  asked: number
  readonly failures: string[]
  stop(): Promise<void>
}

/** Users who ask one thing after the other on connections that they keep, and on new ones. */
function startLoad(paths: readonly string[]): Load {
  let isOver = false
  const load: Load = {
    asked: 0,
    failures: [],
    async stop() {
      isOver = true
      await users
    },
  }
  const user = async () => {
    let agent = new Agent({ keepAlive: true })
    for (let n = 0; !isOver; n += 1) {
      const path = paths[n % paths.length] ?? ''
      const sent = request(`${root.api}${path}`, { agent, headers: { 'x-api-key': root.key } }).end()
      const outcome = await once(sent, 'response').then(
        async ([answer]) => {
          const response = answer as IncomingMessage
          for await (const _ of response);
          return response.statusCode === 200 ? undefined : `${path}: ${response.statusCode}`
        },
        (error: unknown) => `${path}: ${String(error)}`,
      )
      load.asked += 1
      if (outcome !== undefined) load.failures.push(outcome)
      await sleep(30)
      if (n % 20 < 19) continue
      agent.destroy()
      agent = new Agent({ keepAlive: true })
    }
    agent.destroy()
  }
  const users = Promise.all(Array.from({ length: 8 }, user))
  return load
}

/** `npm run scale:check` restarts each of them. */
const SERVICES = ['gateway', 'auth', 'chat-agent', 'ingestion']

test('a restart of a service under load, with one replica each: no request fails', async () => {
  const load = startLoad(['/v1/auth/me', '/v1/groups', '/v1/sessions', '/v1/documents', '/v1/analytics/overview'])
  for (const service of SERVICES) {
    const before = await system.process(`${service}.1`)
    const { code, output } = await control('restart', service)
    expect([code, output]).toEqual([0, expect.stringContaining(`Restarted: ${service}.1`)])
    expect((await system.process(`${service}.1`)).pid).not.toBe(before.pid)
    const asked = load.asked
    await waitFor(() => load.asked > asked + 40, { what: 'more requests' })
    await waitFor(async () => !(await isRunning(before.pid)), { what: `the end of the old ${service}`, timeoutMs: 60_000 })
  }
  await load.stop()
  expect(load.asked).toBeGreaterThan(300)
  expect(load.failures).toEqual([])
  expect((await root.chat(QUESTION)).done).toMatchObject({ content: undisturbed, metadata: { status: 'success' } })
}, 240_000)

test('a restart in mid-answer: the stream ends so that it can be resumed, and the whole is the exact text', async () => {
  let runId = ''
  let restarted: Promise<{ code: number | null }> | undefined
  const before = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async (id) => {
      runId = id
      restarted = control('restart', 'gateway')
    },
  })
  expect(before.some(({ event }) => event === 'done')).toBe(false)
  const resumed = await root.fetch(`/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(before.at(-1)?.id) } })
  const all = [...before, ...(await Array.fromAsync(readEvents(resumed)))]
  expect([textOf(all), all.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  expect((await restarted)?.code).toBe(0)

  // The old chat-agent finishes its answer, or another one goes on with it.
  const answer = disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async () => void (restarted = control('restart', 'chat-agent')),
  })
  const events = await answer
  expect([textOf(events), events.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  expect((await restarted)?.code).toBe(0)
}, 120_000)

test('a restart closes a WebSocket with 1012, and the next one resumes with the exact text', async () => {
  const { body: session } = await root.post('/v1/sessions', {})
  const open = async () => {
    const headers = { 'x-api-key': root.key ?? '' }
    const socket = new WebSocket(`${root.api.replace('http', 'ws')}/v1/ws/chat/${session.external_id}`, { headers })
    const frames: { type: string; seq: number; run_id: string; text?: string; content?: string }[] = []
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())))
    await once(socket, 'open')
    return { socket, frames }
  }
  const first = await open()
  first.socket.send(JSON.stringify({ type: 'text', content: QUESTION }))
  await waitFor(() => first.frames.filter(({ type }) => type === 'token').length > 2, { what: 'tokens' })
  const closed = once(first.socket, 'close')
  const restarted = control('restart', 'gateway')
  expect((await closed)[0]).toBe(1012)
  const last = first.frames.at(-1)
  const second = await open()
  second.socket.send(JSON.stringify({ type: 'resume', run_id: last?.run_id, after: last?.seq }))
  const done = await waitFor(() => second.frames.find(({ type }) => type === 'done'), { what: 'the end of the answer' })
  const text = [...first.frames, ...second.frames].map(({ text: part }) => part ?? '').join('')
  expect([text, done.content]).toEqual([undisturbed, undisturbed])
  expect((await restarted).code).toBe(0)
  second.socket.close()
}, 120_000)

test('scale adds and removes replicas under load, and no request fails', async () => {
  const load = startLoad(['/v1/auth/me', '/v1/groups'])
  const up = await control('scale', 'gateway=3', 'group=2')
  expect(up.code, up.output).toBe(0)
  expect([await namesOf('gateway'), await namesOf('group')]).toEqual([
    ['gateway.1', 'gateway.2', 'gateway.3'],
    ['group.1', 'group.2'],
  ])
  const status = await control('status')
  expect([status.code, status.output]).toEqual([0, expect.stringMatching(/gateway\.3 +ready/)])
  const removed = [(await system.process('gateway.3')).pid, (await system.process('group.2')).pid]
  // A replica is supervised like the first ones.
  await system.kill('group.2')
  await waitFor(async () => (await system.process('group.2').catch(() => undefined))?.pid !== removed[1], {
    what: 'group.2 again',
  })
  removed[1] = (await system.process('group.2')).pid
  const down = await control('scale', 'gateway=1,group=1')
  expect(down.code, down.output).toBe(0)
  expect([await namesOf('gateway'), await namesOf('group')]).toEqual([['gateway.1'], ['group.1']])
  for (const pid of removed) await waitFor(async () => !(await isRunning(pid)), { what: `the end of ${pid}`, timeoutMs: 90_000 })
  await load.stop()
  expect(load.asked).toBeGreaterThan(100)
  // A request that the killed one had may fail; nothing else may.
  expect(load.failures.filter((failure) => !failure.startsWith('/v1/groups'))).toEqual([])
  expect(load.failures.length).toBeLessThanOrEqual(8)
}, 240_000)

test('what cannot be done is said, with what can', async () => {
  const unknown = await control('restart', 'grup')
  expect([unknown.code, unknown.output]).toEqual([1, expect.stringMatching(/Nothing here is called grup\. There are: .*group/)])
  for (const entry of ['group=0', 'group=17', 'grup=2', 'postgres=2', 'group']) {
    const { code, output } = await control('scale', entry)
    expect([code, output]).toEqual([1, expect.stringMatching(/SERVICE=COUNT \(1 to 16\)\. Services: .*group/)])
  }
  const outcomes = await Promise.all([control('restart', 'group'), control('restart', 'auth')])
  expect(outcomes.map(({ code }) => code).sort()).toEqual([0, 1])
  expect(outcomes.find(({ code }) => code === 1)?.output).toMatch(/Another change is under way: restart of (group|auth)/)
}, 60_000)

test('a new process that cannot become ready: the restart stops, the old one serves on, and the command says why', async () => {
  const before = await system.process('analytics.1')
  // The old process keeps its connections to Postgres; a new one gets none.
  await system.sql('alter role analytics nologin')
  const restart = control('restart', 'analytics')
  await sleep(2_000)
  // It can make no connection more either: a request that meets its only one in use is refused.
  await waitFor(async () => (await root.get('/v1/analytics/overview')).status === 200, { what: 'an answer of the old process' })
  const { code, output } = await restart
  await system.sql('alter role analytics login')
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/The new analytics\.1 was not ready after \d+ s: postgres: Postgres [\s\S]*of before still serves/),
  ])
  expect((await system.process('analytics.1')).pid).toBe(before.pid)
  expect((await root.get('/v1/analytics/overview')).status).toBe(200)
  const scaled = control('scale', 'tools=2')
  expect((await scaled).code).toBe(0)
}, 180_000)

test('Ctrl+C during a restart ends everything', async () => {
  await system.sql('alter role analytics nologin')
  const restart = control('restart', 'analytics')
  await waitFor(async () => /beside it/.test((await control('status')).output), { what: 'the new process' })
  system.started.interrupt()
  expect((await restart).code).toBe(1)
  await system.started.exit
  await waitFor(async () => (await system.started.processes()).length === 0, { what: 'the end of every process' })
  expect((await readdir(system.dataDir)).sort()).toEqual(['index', 'logs', 'nats', 'postgres', 'secrets.json'])
}, 60_000)
