import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startMcpServer, type TestMcpServer } from '@youworker/test-kit/mcp-server'
import { startModelServer, type TestModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from '../support/person.ts'
import { type SpawnedSystem, spawnSystem } from '../support/spawned-system.ts'

const WORDS = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliett', 'kilo', 'lima']
const LONG = WORDS.map((word, n) => `${n} ${word}`).join(', ')
const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1A\n', 'latin1'), Buffer.alloc(60, 7)]).toString('base64')

interface ModelMessage {
  readonly role: string
  readonly content: string
  readonly images?: readonly string[]
}
type Asked = TestModelServer['chats'][number]
const messagesOf = ({ body }: Asked) => body.messages as ModelMessage[]
const systemOf = (asked: Asked) => messagesOf(asked)[0]?.content ?? ''
const isTitle = (asked: Asked) => systemOf(asked).startsWith('Write a title')
const isSummary = (asked: Asked) => systemOf(asked).startsWith('Write the summary')

let dir: string
let model: TestModelServer
let tools: TestMcpServer
let system: SpawnedSystem
let root: Person
/** The model goes on from here: a promise that is not kept makes it wait. */
let gate: Promise<unknown> = Promise.resolve()
let gateAt: 'answer' | 'title' | 'summary' | 'tool' | undefined

async function* answer(asked: Asked): AsyncGenerator<string | object> {
  const messages = messagesOf(asked)
  const question = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  if (isTitle(asked) || isSummary(asked)) {
    if (gateAt === (isTitle(asked) ? 'title' : 'summary')) await gate
    return yield isTitle(asked) ? 'The alphabet of pilots' : 'They spelled.'
  }
  if (question.startsWith('Tell')) return yield `Told: ${question.slice(0, 30)} ${'blah '.repeat(150)}`
  if (question.startsWith('Look') && !messages.some(({ role }) => role === 'tool')) {
    yield 'Looking. '
    return yield { tool_calls: ['lookup', 'note'].map((name) => ({ function: { name, arguments: {} } })) }
  }
  const last = messages.at(-1)
  const begun = last?.role === 'assistant' ? last.content : ''
  const said = LONG.startsWith(begun.replace(/^Looking\. /, '')) ? begun.replace(/^Looking\. /, '').length : 0
  for (const [n, piece] of LONG.slice(said)
    .split(/(?<=, )/)
    .entries()) {
    if (n === 4 && gateAt === 'answer') await gate
    await sleep(20)
    yield piece
  }
}

const counts = { lookup: 0, note: 0 }
const gated = async (name: keyof typeof counts) => {
  counts[name] += 1
  if (gateAt === 'tool' && counts[name] === 1) await gate
  return `${name} ${counts[name]}`
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker kinds '))
  model = await startModelServer({
    protocol: 'ollama',
    models: ['m'],
    capabilities: ['completion', 'tools', 'vision'],
    answer,
  })
  tools = await startMcpServer({
    tools: [
      { name: 'lookup', annotations: { readOnlyHint: true }, run: () => gated('lookup') },
      { name: 'note', run: () => gated('note') },
    ],
  })
  system = await spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'chat-agent=2'], {
    env: {
      LLM__CONTEXT_TOKENS: '2048',
      MCP__SERVER_URLS: `mine=${tools.url}`,
      MCP__ALLOWED_TOOLS: 'mine/*',
    },
  })
  root = system.root
  const backend = { name: 'mine', protocol: 'ollama', base_url: model.url }
  expect((await root.post('/v1/admin/models/backends', backend)).status).toBe(201)
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await tools?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** The model, or a tool, waits at `at` until `open` is called. */
function closed(at: NonNullable<typeof gateAt>) {
  const { promise, resolve } = Promise.withResolvers<void>()
  gate = promise
  gateAt = at
  return () => {
    gateAt = undefined
    resolve()
  }
}
const killOwner = async () => system.kill(await system.ownerOfTheRun())
/** Ends the agent that works on such a job. */
async function killBusyWith(kind: 'title' | 'summary'): Promise<void> {
  const { processes } = await system.endpoints()
  for (const { name, health_url } of processes.filter((one) => one.name.startsWith('chat-agent.'))) {
    const metrics = await (await fetch(new URL('/metrics', health_url))).text()
    if (new RegExp(`^jobs_running\\{[^}]*kind="${kind}"[^}]*\\} [1-9]`, 'm').test(metrics)) return system.kill(name)
  }
  throw new Error(`no agent is busy with a ${kind}`)
}
const runOf = async (id: string) => (await root.get(`/v1/runs/${id}`)).body
const untilEnded = (id: string) =>
  waitFor(async () => (await runOf(id)).answer ?? false, { what: 'the end of the run', timeoutMs: 90_000 })
const stepsOf = async (id: string) =>
  (await root.get(`/v1/runs/${id}/steps?include=content`)).body.steps as {
    kind: string
    status: string
    tokens_out?: number
    content: { response: { content: string } }
  }[]
const later = { prefer: 'respond-async' }
const textShown = async (id: string) => {
  const { body } = await root.get(`/v1/runs/${id}`)
  return body.answer?.content
}
const messagesIn = async (session: string) =>
  (await root.get(`/v1/sessions/${session}/messages`)).body.messages as {
    id: string
    role: string
    content: string
    siblings?: { count: number }
  }[]
const asksFor = (isIt: (asked: Asked) => boolean) => model.chats.filter(isIt).length

test('kill -9 in a retried answer: its branch has one whole text, the first answer stays, and each is counted once', async () => {
  const first = await root.post('/v1/chat', { text_input: 'Spell', model: 'm', enable_tools: false, stream: false })
  expect(first.body.content).toBe(LONG)
  const session: string = first.body.session_id
  const [question] = await messagesIn(session)
  const open = closed('answer')
  const retried = await root.post(`/v1/sessions/${session}/messages/${question?.id}/retry`, { stream: false }, later)
  expect(retried.status).toBe(202)
  const { run_id } = retried.body
  await waitFor(async () => (await system.sql('select from chat_agent.run_entries where run_id = $1', [run_id])).length >= 5, {
    what: 'the beginning of the answer',
  })
  await killOwner()
  open()
  const done = await untilEnded(run_id)
  expect(done).toMatchObject({ content: LONG, metadata: { status: 'success' } })
  expect(await textShown(first.body.run_id)).toBe(LONG)
  const shown = await messagesIn(session)
  expect(shown.map(({ role, content }) => [role, content])).toEqual([
    ['user', 'Spell'],
    ['assistant', LONG],
  ])
  expect(shown[1]?.siblings?.count ?? shown[0]?.siblings?.count).toBe(2)
  expect((await root.get(`/v1/sessions/${session}/branches`)).body.total).toBe(2)
  const steps = await stepsOf(run_id)
  expect(steps.map(({ kind, status }) => [kind, status])).toEqual([
    ['model', 'interrupted'],
    ['model', 'done'],
  ])
  const said = steps.map(({ content }) => content.response.content)
  expect(said.join('')).toBe(LONG)
  const { body } = await root.get(`/v1/sessions/${session}`)
  expect(body.session.message_count).toBe(4)
}, 120_000)

test('kill -9 in a call of a tool of a retried answer: what only reads is asked again, what writes is not', async () => {
  const first = await root.post('/v1/chat', { text_input: 'Look', model: 'm', stream: false })
  expect(first.body.content).toBe(`Looking. ${LONG}`)
  expect(counts).toEqual({ lookup: 1, note: 1 })
  Object.assign(counts, { lookup: 0, note: 0 })
  const session: string = first.body.session_id
  const [question] = await messagesIn(session)
  const open = closed('tool')
  const retried = await root.post(`/v1/sessions/${session}/messages/${question?.id}/retry`, { stream: false }, later)
  const { run_id } = retried.body
  await waitFor(() => counts.lookup === 1, { what: 'the call' })
  await killOwner()
  await waitFor(() => counts.lookup === 2, { what: 'the repeated call', timeoutMs: 60_000 })
  open()
  const done = await untilEnded(run_id)
  expect(done.content).toBe(`Looking. ${LONG}`)
  expect(done.metadata).toMatchObject({ status: 'success', tool_calls: 2 })
  expect(counts).toEqual({ lookup: 2, note: 1 })
  const starts = done.tool_events.filter(({ status }: { status: string }) => status === 'start')
  expect(starts.map(({ tool }: { tool: string }) => tool)).toEqual(['lookup', 'note'])
  expect((await stepsOf(run_id)).map(({ kind }) => kind)).toEqual(['model', 'tool', 'tool', 'model'])
  expect((await root.get(`/v1/tool-runs?session_id=${session}`)).body.total).toBe(4)
}, 120_000)

test('kill -9 in a turn with images: the model that goes on is shown them, and the beginning of its answer', async () => {
  const open = closed('answer')
  const asked = await root.post(
    '/v1/unified-chat',
    { text_input: 'Spell it', images_b64: [PNG], model: 'm', enable_tools: false, stream: false },
    later,
  )
  expect(asked.status).toBe(202)
  const { run_id } = asked.body
  await waitFor(async () => (await system.sql('select from chat_agent.run_entries where run_id = $1', [run_id])).length >= 5, {
    what: 'the beginning of the answer',
  })
  const before = model.chats.length
  await killOwner()
  open()
  const done = await untilEnded(run_id)
  expect(done.content).toBe(LONG)
  const again = messagesOf(model.chats.slice(before).find((one) => !isTitle(one) && !isSummary(one)) as Asked)
  expect(again.filter(({ images }) => images)).toEqual([{ role: 'user', content: 'Spell it', images: [PNG] }])
  expect(again.at(-1)?.role).toBe('assistant')
  expect(LONG.startsWith(again.at(-1)?.content ?? 'nothing')).toBe(true)
}, 120_000)

test('kill -9 while the model writes a title: another agent has it written, once', async () => {
  // Titles of the answers above are not waited for by anybody.
  await waitFor(async () => (await system.sql("select from chat_agent.jobs where kind = 'title'")).length === 0, {
    what: 'the titles',
  })
  const open = closed('title')
  const before = asksFor(isTitle)
  const asked = await root.post('/v1/chat', { text_input: 'Spell once more', model: 'm', enable_tools: false, stream: false })
  const titleOf = async () => (await root.get(`/v1/sessions/${asked.body.session_id}`)).body.session.title
  await waitFor(() => asksFor(isTitle) > before, { what: 'the question for a title', timeoutMs: 30_000 })
  await killBusyWith('title')
  open()
  await waitFor(async () => (await titleOf()) === 'The alphabet of pilots', { what: 'the title', timeoutMs: 60_000 })
  await waitFor(async () => (await system.sql("select from chat_agent.jobs where kind = 'title'")).length === 0, {
    what: 'no job',
  })
  expect(asksFor(isTitle)).toBe(before + 2)
}, 120_000)

test('kill -9 while older turns are summarised: one summary, and answers that go on with it', async () => {
  let session: string | undefined
  const tell = async (n: number) => {
    const text_input = `Tell me ${n}: ${'word '.repeat(200)}`
    const { body } = await root.post('/v1/chat', {
      text_input,
      session_id: session,
      model: 'm',
      enable_tools: false,
      stream: false,
    })
    session = body.session_id
    return body
  }
  const open = closed('summary')
  const before = asksFor(isSummary)
  for (let n = 1; n <= 4 && asksFor(isSummary) === before; n += 1) await tell(n)
  await waitFor(() => asksFor(isSummary) > before, { what: 'the question for a summary', timeoutMs: 30_000 })
  const jobs = () => system.sql<{ id: string }>("select id from chat_agent.jobs where kind = 'summary'")
  await killBusyWith('summary')
  open()
  await waitFor(async () => (await jobs()).length === 0, { what: 'the summary', timeoutMs: 60_000 })
  const stored = await system.sql("select from chat_agent.messages where session_id = $1 and role = 'summary'", [session])
  expect(stored).toHaveLength(1)
  const next = await tell(9)
  expect(next).toMatchObject({ content: expect.stringMatching(/^Told: Tell me 9/), metadata: { status: 'success' } })
  const given = messagesOf(model.chats.findLast((one) => !isTitle(one) && !isSummary(one)) as Asked)
  expect(given.some(({ content }) => content.includes('They spelled.'))).toBe(true)
  expect((await messagesIn(session ?? '')).some(({ role }) => role === 'summary')).toBe(false)
}, 180_000)

test('no process ended except those that were killed', () => {
  expect(system.deaths()).toEqual(system.killed)
})
