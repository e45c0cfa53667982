import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TERMINAL } from '@youworker/contracts/common'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { disturbedChat, type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'
import { type Person, readEvents, textOf } from './support/person.ts'

const QUESTION = 'In how many days does the Moon orbit the Earth?'
let dir: string
let system: SpawnedSystem
let root: Person
/** The answer of a run without a kill. */
let undisturbed: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker takeover '))
  system = await spawnSystem(join(dir, 'the data'), ['--no-demo', '--replicas', 'chat-agent=2,gateway=2'], {
    env: { OFFLINE_MODEL__TOKENS_PER_SECOND: '20' },
  })
  root = system.root
  const content = `# Moon\n\nThe Moon orbits the Earth in about twenty-seven days, ${'and it shows the same face, '.repeat(12)}always.\n`
  expect((await root.upload([{ name: 'moon.md', content }])).body.success).toBe(true)
  undisturbed = (await root.chat(QUESTION)).done.content
  expect(undisturbed).toContain('twenty-seven')
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('kill -9 of the chat-agent in mid-answer: the same stream ends with the whole answer', async () => {
  const events = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async () => system.kill(await system.ownerOfTheRun()),
  })
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  const done = events.at(-1)
  expect(done?.data).toMatchObject({ content: undisturbed, metadata: { status: 'success' } })
  expect(done?.data.citations).toHaveLength(1)
  expect(textOf(events)).toBe(undisturbed)
  // The second chat-agent continued the text and did not start again.
  const rewind = events.find(({ event }) => event === 'rewind')
  expect(rewind?.data.offset).toBeGreaterThan(0)
  // The session contains the answer once.
  const { body } = await root.get(`/v1/sessions/${done?.data.metadata.session_id}`)
  const answers = body.messages.filter(
    ({ role, content }: { role: string; content: string }) => role === 'assistant' && content !== '',
  )
  expect(answers.map(({ content }: { content: string }) => content)).toEqual([undisturbed])
}, 120_000)

test('kill -9 of the gateway in mid-answer: the reader continues and gets exactly the whole text', async () => {
  let runId = ''
  const before = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async (id) => {
      runId = id
      await system.kill(await system.gatewayOfTheStream())
    },
  })
  expect(before.some(({ event }) => event === 'done')).toBe(false)
  const lastId = before.at(-1)?.id
  const resume = () => root.fetch(`/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(lastId) } })
  // An idle connection to the killed gateway may be tried first.
  const response = await resume().catch(resume)
  expect(response.status).toBe(200)
  const after = await Array.fromAsync(readEvents(response))
  const all = [...before, ...after]
  expect(all.filter(({ event }) => event === 'done')).toHaveLength(1)
  const replay = await root.fetch(`/v1/runs/${runId}/events`)
  expect(all).toEqual(await Array.fromAsync(readEvents(replay)))
  expect([textOf(all), all.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  await waitFor(async () => (await root.get('/health/ready')).status === 200, { what: 'the killed gateway at its old address' })
}, 120_000)

test('kill -9 of Postgres in mid-answer: the run ends, and the system serves again', async () => {
  let runId = ''
  const events = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async (id) => {
      runId = id
      await system.kill('postgres')
    },
  })
  const run = await waitFor(
    async () => {
      const { status, body } = await root.get(`/v1/runs/${runId}`)
      return status === 200 && TERMINAL.includes(body.status) && body
    },
    { what: 'the end of the run', timeoutMs: 60_000 },
  )
  expect(run.status).toBe('success')
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect([textOf(events), events.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  // Until each circuit breaker has tried Postgres again, requests get 503 and chats answer without documents.
  await waitFor(async () => (await root.chat(QUESTION)).done.content === undisturbed, { what: 'an answer from the documents' })
}, 120_000)

test('kill -9 of ingestion in mid-run: the run finishes with each document once', async () => {
  const files = Array.from({ length: 20 }, (_, i) => ({
    name: `many/${i}.md`,
    content: `# Note ${i}\n\n${`Fact ${i} about subject ${i}. `.repeat(60)}`,
  }))
  const { status, body } = await root.upload(files, { wait: 'false' })
  expect(status).toBe(202)
  const run = async () => (await root.get(`/v1/ingestion-runs/${body.run_id}`)).body
  await waitFor(async () => (await run()).files.some((file: { status: string }) => file.status === 'success'), {
    what: 'the first file',
  })
  await system.kill('ingestion.1')
  const left = await system.sql('select from ingestion.run_files where run_id = $1 and status <> $2', [body.run_id, 'success'])
  expect(left.length, 'the run was over before its worker died').toBeGreaterThan(0)
  const finished = await waitFor(async () => TERMINAL.includes((await run()).status) && (await run()), {
    what: 'the end of the run',
    timeoutMs: 100_000,
  })
  expect(finished.status).toBe('success')
  expect(finished.files.map((file: { status: string }) => file.status)).toEqual(files.map(() => 'success'))
  const documents = await root.get('/v1/documents?q=Note&limit=200')
  expect(documents.body.total).toBe(20)
  expect(new Set(documents.body.documents.map((document: { path: string }) => document.path)).size).toBe(20)
}, 180_000)

test('kill -9 of NATS and deletion of its store: no event is lost or counted twice', async () => {
  const overview = async () => (await root.get('/v1/analytics/overview')).body
  // The event of the run itself comes after those of its documents.
  const before = await waitFor(
    async () => {
      const body = await overview()
      return body.documents?.total === 21 && body.ingestion.total_runs === 2 && body
    },
    { what: '21 documents of two runs in the overview' },
  )

  // These events are in the stream and not read by analytics yet, so they are lost with the store.
  await system.kill('analytics.1', 'SIGSTOP')
  for (let i = 0; i < 3; i += 1) expect((await root.post('/v1/sessions', { title: `unread ${i}` })).status).toBe(200)
  await waitFor(async () => (await system.sql('select from chat_agent.outbox where stream_seq is null')).length === 0, {
    what: 'the outbox',
  })
  await system.kill('nats')
  await rm(join(system.dataDir, 'nats'), { recursive: true, force: true })
  await system.kill('analytics.1', 'SIGCONT')

  await waitFor(async () => (await root.get('/health/ready')).status === 200, { what: 'readiness' })
  await waitFor(async () => (await overview()).sessions?.total === before.sessions.total + 3, { what: 'the three sessions' })
  expect(await overview()).toMatchObject({ documents: before.documents, ingestion: before.ingestion, tools: before.tools })
  expect((await root.chat(QUESTION)).done.content).toBe(undisturbed)
  await waitFor(async () => (await overview()).sessions?.total === before.sessions.total + 4, { what: 'the session of the chat' })
}, 120_000)

test('kill -9 of NATS in mid-answer: the same stream has the whole text', async () => {
  const events = await disturbedChat(root, QUESTION, { afterTokens: 3, disturb: () => system.kill('nats') })
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect([textOf(events), events.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
}, 120_000)

test('no process ended except those that were killed', () => {
  expect(system.deaths()).toEqual(system.killed)
})
