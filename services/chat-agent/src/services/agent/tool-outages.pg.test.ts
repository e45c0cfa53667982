import { randomUUID } from 'node:crypto'
import { TOOL_AWAY } from '@youworker/contracts/agent/tool-servers'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { startMcpServer, type TestTool } from '@youworker/test-kit/mcp-server'
import { startOfflineModel, type TestModel } from '@youworker/test-kit/offline-model'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { chat, chatDatabase, doneOf, entriesOf, type Replica, textOf } from '../../test-fixture.ts'

const HIT = {
  document_id: '0193a000-0000-7000-8000-000000000001',
  chunk_id: 'c1',
  title: 'Handbook',
  uri: 'upload://handbook.pdf',
  score: 0.9,
  snippet: 'Thirty days.',
  text: 'Every employee has 30 days of leave in a year.',
}
const FOUND = { content: [{ type: 'text' as const, text: 'a passage' }], structuredContent: { results: [HIT] } }
const AWAY = { isError: true, content: [{ type: 'text' as const, text: 'not now' }], _meta: { [TOOL_AWAY]: true } }
const NOTICE = /\n\n\(The documents could not be searched for this answer: .* Ask again in a little while\.\)$/
const LONG = '120000'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
let model: TestModel
beforeAll(async () => {
  fixture = await chatDatabase()
  model = await startOfflineModel()
  // Calls the tools that the question names, then answers.
  const names = ['knowledge_search', 'send', 'peek']
  const calls = names.map((name) => ({
    match: { contains: name, last_role: 'user' },
    reply: { tool_calls: [{ name, arguments: { query: 'leave' } }] },
  }))
  await model.setScript({ rules: [...calls, { reply: { text: 'Thirty days [1].' } }] })
})
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
})

const search = (run: TestTool['run'] = async () => FOUND): TestTool => ({
  name: 'knowledge_search',
  input: z.object({ query: z.string() }),
  annotations: { readOnlyHint: true },
  run,
})

/** A server at one address that can be stopped and started again. */
async function restartable(path: string, ...tools: TestTool[]) {
  let server: Awaited<ReturnType<typeof startMcpServer>> | undefined = await startMcpServer({ tools, path })
  const { origin, port } = new URL(server.url)
  let earlierCalls = 0
  const start = async () => void (server = await startMcpServer({ tools, port: Number(port), path }))
  const stop = async () => {
    earlierCalls += server?.calls.length ?? 0
    await server?.[Symbol.asyncDispose]()
    server = undefined
  }
  return {
    url: origin,
    start,
    stop,
    calls: () => earlierCalls + (server?.calls.length ?? 0),
    [Symbol.asyncDispose]: stop,
  }
}
const ownTools = (...tools: TestTool[]) => restartable('/semantic/mcp', ...tools)
const ownEnv = ({ url }: { url: string }, waitMs = LONG) => ({
  LLM__OLLAMA_BASE_URL: model.url,
  TOOLS__URL: url,
  MCP__ALLOWED_TOOLS: 'semantic/*',
  AGENT__TOOL_WAIT_MS: waitMs,
})
const foreignEnv = ({ url }: { url: string }, waitMs = LONG) => ({
  LLM__OLLAMA_BASE_URL: model.url,
  MCP__SERVER_URLS: `other=${url}/mcp`,
  MCP__ALLOWED_TOOLS: 'other/*',
  AGENT__TOOL_WAIT_MS: waitMs,
})

async function start(replica: Replica, text_input: string) {
  const user = randomUUID()
  return { user, ...(await replica.services.startRun.start(chat({ text_input }), testUserContext(user))) }
}
type Started = Awaited<ReturnType<typeof start>>

const waits = async (replica: Replica, { user, run_id }: Started) =>
  (await entriesOf(replica, user, run_id)).flatMap(({ body }) =>
    body.event === 'status' && body.data.stage === 'waiting_for_tools' ? [body.data.waited_ms ?? 0] : [],
  )
const untilWaiting = (replica: Replica, started: Started) =>
  waitFor(async () => (await waits(replica, started)).length > 0, { what: 'a status that the run waits' })
const end = ({ user, run_id }: Started, replica: Replica) => doneOf(replica, user, run_id)
const ask = async (replica: Replica, text: string) => {
  const started = await start(replica, text)
  return { started, done: await end(started, replica) }
}

test('a tool server that restarts: its call is repeated within the run, and the answer is whole', async () => {
  await using tools = await ownTools(search())
  await using replica = fixture.replica(ownEnv(tools))
  expect((await ask(replica, 'knowledge_search')).done.metadata.status).toBe('success')
  await tools.stop()
  const started = await start(replica, 'knowledge_search')
  await untilWaiting(replica, started)
  await tools.start()
  const done = await end(started, replica)
  expect(done).toMatchObject({ content: 'Thirty days [1].', metadata: { status: 'success', tool_calls: 1 } })
  expect(done.citations.map(({ index }) => index)).toEqual([1])
  expect(done.tool_events.map(({ status }) => status)).toEqual(['start', 'end'])
})

test('tools that start after the run are discovered within it', async () => {
  await using tools = await ownTools(search())
  await tools.stop()
  await using replica = fixture.replica(ownEnv(tools))
  const started = await start(replica, 'knowledge_search')
  await untilWaiting(replica, started)
  await tools.start()
  expect(await end(started, replica)).toMatchObject({ content: 'Thirty days [1].', metadata: { status: 'success' } })
})

test('a search whose documents service is away is repeated', async () => {
  let asked = 0
  const flaky = search(async () => ((asked += 1), asked < 3 ? AWAY : FOUND))
  await using tools = await ownTools(flaky)
  await using replica = fixture.replica(ownEnv(tools))
  const { done, started } = await ask(replica, 'knowledge_search')
  expect(done).toMatchObject({ content: 'Thirty days [1].', metadata: { status: 'success' } })
  expect([asked, (await waits(replica, started)).length > 0]).toEqual([3, true])
})

test('a foreign server cannot make a run wait by its answer', async () => {
  await using foreign = await restartable('/mcp', { name: 'peek', annotations: { readOnlyHint: true }, run: async () => AWAY })
  await using other = fixture.replica(foreignEnv(foreign))
  expect((await ask(other, 'peek')).done).toMatchObject({
    metadata: { status: 'success' },
    tool_events: [{}, { status: 'error' }],
  })
  expect(foreign.calls()).toBe(1)
})

test.each([
  ['from the start', false],
  ['since the tools were listed', true],
])(
  'tools that are away %s: the answer says that the documents were not searched, and the run is partial',
  async (_when, listed) => {
    await using tools = await ownTools(search())
    await using replica = fixture.replica(ownEnv(tools, '700'))
    if (listed) await ask(replica, 'knowledge_search')
    await tools.stop()
    const { done, started } = await ask(replica, 'knowledge_search')
    const { user, run_id, session_id } = started
    expect(done.metadata.status).toBe('partial')
    expect(done.content).toMatch(NOTICE)
    expect(done.citations).toEqual([])
    expect(textOf(await entriesOf(replica, user, run_id))).toBe(done.content)
    const { messages } = await replica.services.sessions.messages(user, session_id)
    expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: done.content })
    expect((await replica.services.runs.get(user, run_id)).status).toBe('partial')
    expect((await replica.services.runs.getTask(user, run_id)).state).toBe('partial')
  },
)

test('a later search that worked makes the answer whole', async () => {
  await using tools = await ownTools(search(async () => (tools.calls() === 1 ? AWAY : FOUND)))
  await using replica = fixture.replica(ownEnv(tools, '0'))
  await model.setScript({
    rules: [
      { times: 2, reply: { tool_calls: [{ name: 'knowledge_search', arguments: { query: 'leave' } }] } },
      { reply: { text: 'Thirty days [1].' } },
    ],
  })
  const { done } = await ask(replica, 'twice')
  expect(done).toMatchObject({ content: 'Thirty days [1].', metadata: { status: 'success', tool_calls: 2 } })
})

test('a call that may have had an effect is made once; one that surely did not begin is made when its server is back', async () => {
  const cut = Promise.withResolvers<string>()
  await using foreign = await restartable('/mcp', {
    name: 'send',
    run: async () => (foreign.calls() === 1 ? (void foreign.stop(), cut.promise) : 'sent'),
  })
  await using replica = fixture.replica(foreignEnv(foreign))
  const rules = [
    { match: { last_role: 'user' }, reply: { tool_calls: [{ name: 'send' }] } },
    { match: { last_role: 'tool' }, reply: { echo: true } },
  ]
  await model.setScript({ rules })
  const { done, started } = await ask(replica, 'go')
  cut.resolve('too late')
  expect(done.metadata.status).toBe('success')
  // The model and the user are told.
  expect(done.content).toContain('Error: outcome unknown')
  expect(done.logs.some(({ level, msg }) => level === 'warning' && msg.includes('outcome unknown'))).toBe(true)
  const { runs } = await replica.services.toolRuns.list(started.user, { limit: 10, offset: 0 })
  expect(runs.map(({ status }) => status)).toEqual(['unknown'])
  expect(foreign.calls()).toBe(1)

  const second = await start(replica, 'again')
  await untilWaiting(replica, second)
  await foreign.start()
  expect((await end(second, replica)).content).toContain('sent')
  expect(foreign.calls()).toBe(2)
})

test('stop ends a run that waits', async () => {
  await using tools = await ownTools(search())
  await tools.stop()
  await using replica = fixture.replica(ownEnv(tools))
  const started = await start(replica, 'x')
  await untilWaiting(replica, started)
  await replica.services.runs.stop(started.user, started.run_id)
  expect((await end(started, replica)).metadata.status).toBe('stopped')
})

test('the time that a run waits is counted over its attempts', async () => {
  await using tools = await ownTools(search())
  await tools.stop()
  const first = fixture.replica(ownEnv(tools, '6000'))
  const started = await start(first, 'x')
  await waitFor(async () => (await waits(first, started)).some((ms) => ms >= 2_000), { what: 'a second status' })
  const before = await waits(first, started)
  await first[Symbol.asyncDispose]()
  await using second = fixture.replica(ownEnv(tools, '6000'))
  expect((await end(started, second)).metadata.status).toBe('partial')
  const after = (await waits(second, started)).slice(before.length)
  expect(after.length).toBeGreaterThan(0)
  expect(Math.min(...after)).toBeGreaterThanOrEqual(Math.max(...before))
})

test('a foreign server that stays away delays only the first runs', async () => {
  await using foreign = await restartable('/mcp')
  await foreign.stop()
  await using replica = fixture.replica(foreignEnv(foreign, '700'))
  const first = await ask(replica, 'x')
  const second = await ask(replica, 'x')
  expect([(await waits(replica, first.started)).length > 0, await waits(replica, second.started)]).toEqual([true, []])
  expect(second.done).toMatchObject({ metadata: { status: 'success' }, logs: [{ level: 'info' }, { level: 'warning' }] })
})
