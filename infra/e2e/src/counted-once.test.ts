import { startMcpServer } from '@youworker/test-kit/mcp-server'
import { startModelServer, type TestModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

/** What the model says that each call has used. */
const USED = { in: 7, out: 3 }
const CANARY = 'zebra-quagga-okapi'

const stack = new AsyncDisposableStack()
let model: TestModelServer
let system: TestSystem

type Asked = TestModelServer['chats'][number]
const messagesOf = ({ body }: Asked) => body.messages as { role: string; content: string }[]
const isSummary = (asked: Asked) => messagesOf(asked)[0]?.content.startsWith('Write the summary') === true

async function* answer(asked: Asked): AsyncGenerator<string | object> {
  const messages = messagesOf(asked)
  const question = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  if (isSummary(asked)) return yield `They spoke of ${CANARY}.`
  if (question.startsWith('Tell')) return yield `Told ${'blah '.repeat(150)}`
  if (question.startsWith('Look') && messages.at(-1)?.role !== 'tool') {
    yield { reasoning_content: `hm, ${CANARY}` }
    const call = { name: 'echo', arguments: JSON.stringify({ text: CANARY }) }
    return yield { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: call }] }
  }
  if (question.startsWith('Break')) throw new Error('broken')
  yield 'Yes.'
}

beforeAll(async () => {
  model = stack.use(await startModelServer({ protocol: 'openai', models: ['m'], answer }))
  const tools = stack.use(await startMcpServer())
  const env = {
    LLM__OPENAI_BASE_URL: model.url,
    LLM__CONTEXT_TOKENS: '2048',
    LLM__WAIT_MS: '0',
    MCP__SERVER_URLS: `mine=${tools.url}`,
    MCP__ALLOWED_TOOLS: 'mine/*',
  }
  system = stack.use(await startTestSystem({ env }))
}, 120_000)
afterAll(() => stack.disposeAsync())

async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}

/** Figures once all events are in. */
async function figuresOf(person: Person, session: string, expected: { messages: number; calls: number }) {
  const overview = async () => (await person.get('/v1/analytics/overview')).body
  const total = expected.calls * (USED.in + USED.out)
  await expect
    .poll(
      async () => {
        const { messages, tokens } = await overview()
        return [messages.total, tokens.total]
      },
      { timeout: 30_000 },
    )
    .toEqual([expected.messages, total])
  const { tokens } = (await person.get(`/v1/analytics/sessions/${session}`)).body
  const timeline = (await person.get('/v1/analytics/tokens-timeline')).body.data.at(-1)
  expect(timeline).toMatchObject({ tokens_in: expected.calls * USED.in, tokens_out: expected.calls * USED.out })
  expect((await person.get('/v1/analytics/tokens')).body.total_tokens).toBe(total)
  return tokens
}

const off = { enable_tools: false, stream: false }

test('answers in branches, stopped, broken and kept ones count once each, in messages and in tokens', async () => {
  const ada = await system.newPerson('ada')
  const ask = (text_input: string, more: object = {}) => ada.post('/v1/chat', { text_input, ...off, ...more })
  const first = await ask('One')
  const session_id: string = first.body.session_id
  await ask('Two', { session_id })
  const messages = async () => (await ada.get(`/v1/sessions/${session_id}/messages`)).body.messages
  const retry = (id: string, body: object = {}) =>
    ada.post(`/v1/sessions/${session_id}/messages/${id}/retry`, { ...off, ...body })
  const [question, , second, secondAnswer] = await messages()
  expect((await retry(secondAnswer.id)).status).toBe(200)
  expect((await retry(second.id, { content: 'Two, once more' })).status).toBe(200)
  expect((await retry(question.id, { enable_tools: true, content: 'Look' })).body.metadata).toMatchObject({
    tokens_in: 2 * USED.in,
    tokens_out: 2 * USED.out,
  })
  // Two questions, two retries of the second one, one of the first one that calls the model twice.
  const { body } = await ada.get(`/v1/sessions/${session_id}`)
  expect(body.session.message_count).toBe(10)
  expect(await figuresOf(ada, session_id, { messages: 10, calls: 6 })).toMatchObject({ message_count: 10 })

  await ask('Kept', { cache: true })
  expect((await ask('Kept', { cache: true })).body.metadata).toMatchObject({ cached: true })
  await figuresOf(ada, session_id, { messages: 14, calls: 7 })
  const tools = (await ada.get('/v1/analytics/overview')).body.tools
  expect(tools).toMatchObject({ total_runs: 1 })
  const all = await sql<{ n: string }>('select count(*) as n from chat_agent.model_steps where space_id = $1', [ada.id])
  expect(Number(all[0]?.n)).toBe(7)
})

test('a deleted response takes its steps, thoughts, calls, kept answer, title and every summary of it along; what it used stays counted', async () => {
  const ben = await system.newPerson('ben')
  const { responses, conversations } = clientOf(ben, { maxRetries: 0 })
  const { id: conversation } = await conversations.create({})
  const session = conversation.replace('conv_', '')
  const ask = (input: string, more: object = {}) => responses.create({ model: 'youworker', conversation, input, ...more })
  const first = await ask(`Look at the ${CANARY}`, { cache: true, reasoning: { effort: 'high' } })
  const tell = (text_input: string) => ben.post('/v1/chat', { text_input, session_id: session, ...off })
  for (let n = 1; n <= 4; n += 1) await tell(`Tell ${n} ${'word '.repeat(200)}`)
  const summaries = () => sql("select from chat_agent.messages where session_id = $1 and role = 'summary'", [session])
  const waiting = () => sql("select from chat_agent.jobs where kind = 'summary' and queue_key = $1", [session])
  await waitFor(async () => (await waiting()).length === 0, { what: 'the summary', timeoutMs: 30_000 })
  expect(await summaries()).not.toEqual([])
  const run = first.id.replace('resp_', '')
  const tables = await sql<{ name: string }>(
    "select table_name as name from information_schema.columns where table_schema = 'chat_agent' and column_name = 'run_id'",
  )
  const rows = async () => {
    const counts = tables.map(
      async ({ name }) => [name, (await sql(`select from chat_agent.${name} where run_id = $1`, [run])).length] as const,
    )
    return Object.fromEntries((await Promise.all(counts)).filter(([, count]) => count > 0))
  }
  expect(Object.keys(await rows())).toEqual(expect.arrayContaining(['messages', 'model_steps', 'run_entries', 'tool_runs']))
  const titleOf = async () => (await ben.get(`/v1/sessions/${session}`)).body.session
  expect((await titleOf()).title).toContain(CANARY)
  const before = (await ben.get('/v1/analytics/overview')).body

  await responses.delete(first.id)
  expect(await rows()).toEqual({})
  expect((await titleOf()).title ?? '').not.toContain(CANARY)
  expect(await summaries()).toEqual([])
  for (const path of [`/v1/sessions/${session}`, `/v1/sessions/${session}/messages`, '/v1/tool-runs', '/v1/sessions'])
    expect(JSON.stringify((await ben.get(path)).body), path).not.toContain(CANARY)
  const { messages } = (await ben.get(`/v1/sessions/${session}`)).body
  expect((await titleOf()).message_count).toBe(messages.length)
  // The next answer is made without it, and a summary too.
  const asked = model.chats.length
  await tell('Yes?')
  expect(model.chats.length).toBeGreaterThan(asked)
  expect(JSON.stringify(model.chats.slice(asked).map(({ body }) => body))).not.toContain(CANARY)
  expect((await ben.get('/v1/analytics/overview')).body.tokens.total).toBeGreaterThanOrEqual(before.tokens.total)
})
