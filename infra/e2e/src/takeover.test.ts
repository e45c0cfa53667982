import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SpawnedHouse, spawnHouse } from './support/spawned-house.ts'
import { type Person, readEvents, textOf } from './support/person.ts'

let dir: string
let house: SpawnedHouse
let root: Person

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-takeover-'))
  house = await spawnHouse(['--data', join(dir, 'the data'), '--no-demo', '--replicas', 'chat-agent=2,gateway=2'], { OFFLINE_MODEL__TOKENS_PER_SECOND: '8' })
  root = house.root
}, 180_000)
afterAll(async () => {
  await house.stop()
  await rm(dir, { recursive: true, force: true })
})

const kill = async (name: string) => process.kill(await house.pidOf(name), 'SIGKILL')

test('kill -9 of the chat-agent that answers: the same stream ends with the whole answer', async () => {
  await root.upload([{ name: 'moon.md', content: '# Moon\n\nThe Moon orbits the Earth in about twenty-seven days and always shows it the same face.\n' }])
  const question = 'In how many days does the Moon orbit the Earth?'
  const whole = await root.chat(question)

  const response = await root.fetch('/v1/chat', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text_input: question }) })
  const events = []
  let killed = false
  for await (const event of readEvents(response)) {
    events.push(event)
    if (!killed && events.filter((seen) => seen.event === 'token').length === 3) {
      killed = true
      await kill(await house.ownerOfTheRun())
    }
  }
  const done = events.at(-1)
  expect(done?.event).toBe('done')
  expect(events.some(({ event }) => event === 'rewind')).toBe(true)
  expect(textOf(events)).toBe(done?.data.content)
  expect(done?.data.content).toBe(whole.done.content)
  expect(done?.data.citations.length).toBeGreaterThan(0)
}, 120_000)

test('kill -9 of ingestion in mid-run: the run finishes, each document once', async () => {
  const files = Array.from({ length: 60 }, (_, i) => ({ name: `many/${i}.md`, content: `# Note ${i}\n\n${`Fact ${i} about subject ${i}. `.repeat(60)}` }))
  const { status, body } = await root.upload(files, { wait: 'false' })
  expect(status).toBe(202)
  const run = async () => (await root.get(`/v1/ingestion-runs/${body.run_id}`)).body
  await expect.poll(async () => (await run()).files?.filter((file: { status: string }) => file.status === 'success').length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0)
  expect((await run()).status).toBe('running')
  await kill('ingestion.1')
  await expect.poll(async () => (await run()).status, { timeout: 90_000, interval: 250 }).toBe('success')
  const documents = await root.get('/v1/documents?q=Note&limit=200')
  expect(documents.body.total).toBe(60)
}, 180_000)

test('NATS stopped and its store deleted: nothing is lost, nothing is counted twice', async () => {
  const overview = async () => (await root.get('/v1/analytics/overview')).body
  await expect.poll(async () => (await overview()).documents?.total, { timeout: 60_000, interval: 250 }).toBe(61)
  const before = (await overview()).sessions.total

  // Events that the stream has and analytics has not read yet are lost with the store.
  const analytics = await house.pidOf('analytics.1')
  process.kill(analytics, 'SIGSTOP')
  for (let i = 0; i < 3; i += 1) await root.post('/v1/sessions', { title: `unread ${i}` })
  await house.untilOutboxIsPublished('chat_agent')
  process.kill(await house.pidOf('nats'), 'SIGKILL')
  await rm(join(house.dataDir, 'nats'), { recursive: true, force: true })
  process.kill(analytics, 'SIGCONT')

  await expect.poll(async () => (await root.get('/health/ready')).status, { timeout: 60_000, interval: 250 }).toBe(200)
  await expect.poll(async () => (await overview()).sessions?.total, { timeout: 60_000, interval: 250 }).toBe(before + 3)
  expect((await overview()).documents.total).toBe(61)
  expect((await root.chat('In how many days does the Moon orbit the Earth?')).done.metadata.status).toBe('success')
}, 180_000)
