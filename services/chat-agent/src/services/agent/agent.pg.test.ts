import { testUserContext } from '@youworker/messaging/requests/test-context'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { inRequest } from '@youworker/runtime/current-request'
import { startMcpServer, type TestTool } from '@youworker/test-kit/mcp-server'
import { type ModelScript, startOfflineModel, type TestModel } from '@youworker/test-kit/offline-model'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { asAdmin, ask, chat, chatDatabase, doneOf, entriesOf, expectWholeLog, type Replica, textOf } from '../../test-fixture.ts'
import { says, startModel } from '../../test-model.ts'

const hit = (chunk_id: string, text: string, page?: number) => ({
  document_id: '0193a000-0000-7000-8000-000000000001',
  chunk_id,
  title: 'Handbook',
  uri: 'upload://handbook.pdf',
  page,
  score: 0.9,
  snippet: text,
  text,
})
const PASSAGES = [hit('c1', 'Every employee has 30 days of leave in a year.', 12), hit('c2', 'The office is in Turin.')]

let fixture: Awaited<ReturnType<typeof chatDatabase>>
let model: TestModel
beforeAll(async () => {
  fixture = await chatDatabase()
  model = await startOfflineModel()
})
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  fixture.grants.revoked = false
  await model.setScript({ rules: [] })
})

type Rules = ModelScript['rules']
const withModel = (env: Record<string, string> = {}): Replica => fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, ...env })

const knowledgeSearch = (...answers: object[][]): TestTool => ({
  name: 'knowledge_search',
  description: 'Searches the documents.',
  input: z.object({ query: z.string() }),
  annotations: { readOnlyHint: true },
  run: async () => {
    const results = answers.length > 1 ? (answers.shift() ?? []) : (answers[0] ?? [])
    return { content: [{ type: 'text', text: `${results.length} passages` }], structuredContent: { results } }
  },
})

/** Our own servers live at `<TOOLS__URL>/semantic/mcp`; the test server answers at `/mcp`. */
async function ownTools(...tools: TestTool[]) {
  const stack = new AsyncDisposableStack()
  const server = stack.use(await startMcpServer({ tools }))
  const forward = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url !== '/semantic/mcp' || request.method !== 'POST') return void response.writeHead(405).end()
    const { authorization = '', accept = '' } = request.headers
    const headers = { authorization, accept, 'content-type': 'application/json' }
    const answer = await fetch(server.url, { method: 'POST', headers, body: await text(request) })
    const body = await answer.text()
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' }).end(body)
  }
  const proxy = createServer((request, response) => void forward(request, response).catch(() => response.destroy()))
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  stack.defer(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const { port } = z.object({ port: z.number() }).parse(proxy.address())
  const env = { TOOLS__URL: `http://127.0.0.1:${port}`, MCP__ALLOWED_TOOLS: 'semantic/*' }
  return { env, calls: server.calls, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('a question about documents is answered with citations; a number that is no hit is dropped', async () => {
  await using tools = await ownTools(knowledgeSearch(PASSAGES))
  await using replica = withModel(tools.env)
  const rules: Rules = [{ match: { last_role: 'tool' }, reply: { text: 'You have 30 days of leave [1]. See also [2] and [7].' } }]
  await model.setScript({ rules })
  const { user, done, entries, session_id, run_id } = await ask(replica, { text_input: 'How many days of leave do I have?' })
  expectWholeLog(entries, done.content)
  expect(done.content).toBe('You have 30 days of leave [1]. See also [2] and .')
  expect(done.citations).toEqual([
    {
      index: 1,
      document_id: PASSAGES[0]?.document_id,
      chunk_id: 'c1',
      title: 'Handbook',
      uri: 'upload://handbook.pdf',
      page: 12,
      score: 0.9,
      snippet: PASSAGES[0]?.text,
    },
    {
      index: 2,
      document_id: PASSAGES[1]?.document_id,
      chunk_id: 'c2',
      title: 'Handbook',
      uri: 'upload://handbook.pdf',
      score: 0.9,
      snippet: PASSAGES[1]?.text,
    },
  ])
  expect(done.metadata).toMatchObject({
    status: 'success',
    iterations: 2,
    tool_calls: 1,
    session_title: 'How many days of leave do I have?',
    model: 'youworker-offline',
  })
  expect(done.metadata.tokens_out).toBeGreaterThan(0)
  expect(done.tool_events.map(({ tool, status, run_id: id }) => [tool, status, id === done.tool_events[0]?.run_id])).toEqual([
    ['knowledge_search', 'start', true],
    ['knowledge_search', 'end', true],
  ])
  expect(tools.calls[0]?.headers['authorization']).toMatch(/^Bearer token-\d+$/)

  const { services } = replica
  const { messages } = await services.sessions.messages(user, session_id)
  expect(messages.map(({ role, content, tokens_out }) => [role, content, tokens_out])).toEqual([
    ['user', 'How many days of leave do I have?', 0],
    ['assistant', done.content, done.metadata.tokens_out],
  ])
  const run = await services.runs.get(user, run_id)
  expect(run).toMatchObject({
    status: 'success',
    usage: { tokens_in: done.metadata.tokens_in, tokens_out: done.metadata.tokens_out },
  })
  expect(run.steps.map(({ kind, name, status }) => [kind, name, status])).toEqual([
    ['model', 'youworker-offline', 'success'],
    ['tool', 'knowledge_search', 'success'],
    ['model', 'youworker-offline', 'success'],
  ])
  const listed = await services.toolRuns.list(user, { session_id, limit: 10, offset: 0 })
  expect(listed).toMatchObject({
    total: 1,
    runs: [
      {
        tool_name: 'knowledge_search',
        status: 'success',
        args: { query: 'How many days of leave do I have?' },
        error_message: null,
      },
    ],
  })
  expect(replica.live.filter(({ runId }) => runId === run_id).map(({ entry }) => entry)).toEqual(entries)
  for (const column of ['args', 'result', 'preview']) {
    const rows = await asAdmin<{ value: string }>(
      fixture.adminUrl,
      `select encode(${column}, 'escape') as value from chat_agent.tool_runs where user_id = '${user}'`,
    )
    expect(rows.filter(({ value }) => value.includes('leave'))).toEqual([])
  }
})

test('the next turn sees the conversation, without the numbers of passages', async () => {
  await using replica = withModel()
  await model.setScript({ rules: [{ times: 1, reply: { text: 'Forty-two.' } }, { reply: { echo: true } }] })
  const { user, session_id } = await ask(replica, { text_input: 'What is it?', enable_tools: false })
  const next = await replica.services.startRun.start(
    chat({ text_input: 'Why?', session_id, enable_tools: false }),
    testUserContext(user),
  )
  const done = await doneOf(replica, user, next.run_id)
  expect(
    JSON.parse(done.content).map(({ role, content }: { role: string; content: string }) => [
      role,
      role === 'system' ? '' : content,
    ]),
  ).toEqual([
    ['system', ''],
    ['user', 'What is it?'],
    ['assistant', 'Forty-two.'],
    ['user', 'Why?'],
  ])
})

test('the system prompt names the language, and holds the instructions of the session and of the request as they are', async () => {
  await using replica = withModel()
  await model.setScript({ rules: [{ reply: { echo: true } }] })
  const context = testUserContext(randomUUID())
  const { user_id } = context.caller
  const prompt = async (more: object) => {
    const { run_id } = await replica.services.startRun.start(chat({ text_input: 'Why?', ...more }), context)
    const [system] = JSON.parse((await doneOf(replica, user_id, run_id)).content)
    return system.content as string
  }
  expect(await prompt({})).toContain('Answer in the language of the question')
  expect(await prompt({ language: 'pt-BR' })).toContain('Answer in Brazilian Portuguese,')
  const { id: session_id } = await replica.services.sessions.create({ instructions: 'Rhyme, ${user}.' }, context)
  expect(await prompt({ session_id, instructions: 'Be brief.' })).toMatch(/Rhyme, \$\{user\}\.\n\nBe brief\.$/)
  await replica.services.sessions.update(session_id, { instructions: null }, context)
  expect(await prompt({ session_id })).not.toContain('Rhyme')
})

test('model and tool servers are asked in the trace of the run', async () => {
  await using foreign = await startMcpServer()
  const traces: (string | undefined)[] = []
  await using asked = await startModel(
    ({ line, end }, _, { traceparent }) => {
      traces.push(traceparent)
      line({
        message: { role: 'assistant', content: '', tool_calls: [{ function: { name: 'echo', arguments: { text: 'hi' } } }] },
      })
      end()
    },
    (answer, _, { traceparent }) => {
      traces.push(traceparent)
      answer.text('Done.')
      answer.end()
    },
  )
  await using replica = fixture.replica({
    LLM__OLLAMA_BASE_URL: asked.url,
    MCP__SERVER_URLS: `other=${foreign.url}`,
    MCP__ALLOWED_TOOLS: 'other/*',
  })
  const user = randomUUID()
  const context = testUserContext(user)
  const { run_id } = await inRequest(context, () => replica.services.startRun.start(chat({ text_input: 'go' }), context))
  expect((await doneOf(replica, user, run_id)).content).toBe('Done.')
  const [, trace] = context.traceparent.split('-')
  const traced = expect.stringMatching(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
  expect([...traces, foreign.calls[0]?.headers['traceparent']]).toEqual([traced, traced, traced])
})

test.each([
  ['answers 500', { status: 500 }, ''],
  ['sends a malformed line', { text: 'one two three four five', malformed_after: 3 }, 'one two three'],
  ['drops the connection', { text: 'one two three four five', drop_after: 3 }, 'one two three'],
  ['stalls', { text: 'one two three four five', stall_after: 3 }, 'one two three'],
])('a model that %s: the next attempt continues the text that was streamed', async (_name, fault, kept) => {
  await using replica = withModel({ LLM__STALL_MS: '500' })
  await model.setScript({ rules: [{ times: 1, reply: fault }, { reply: { text: 'one two three four five' } }] })
  const { done, entries } = await ask(replica, { text_input: 'count', enable_tools: false })
  expectWholeLog(entries, 'one two three four five')
  expect(done).toMatchObject({ content: 'one two three four five', metadata: { status: 'success', iterations: 1 } })
  const rewind = entries.find(({ body }) => body.event === 'rewind')
  expect(rewind).toEqual({ n: 2_000_001, body: { event: 'rewind', data: { offset: kept.length } } })
})

test('a model that always fails ends the run as an error, and the partial text is kept', async () => {
  await using replica = withModel()
  await model.setScript({ rules: [{ reply: { text: 'one two three '.repeat(20), drop_after: 3 } }] })
  const { done, entries, user, run_id, session_id } = await ask(replica, { text_input: 'count', enable_tools: false })
  expectWholeLog(entries, done.content)
  expect(done.content).toMatch(/^one two three one/)
  expect(done.metadata).toMatchObject({ status: 'error', error: expect.stringContaining('broke off') })
  expect(Math.max(...entries.map(({ n }) => n))).toBeGreaterThan(3_000_000)
  expect((await replica.services.runs.get(user, run_id)).status).toBe('failed')
  const { messages } = await replica.services.sessions.messages(user, session_id)
  expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: done.content })
}, 90_000)

test.each<[string, object, string, number, Record<string, string>?]>([
  ['an unknown model', {}, 'ollama pull', 1, { LLM__CHAT_MODEL: 'no-such-model' }],
  ['a refused request', { text_input: 'refuse me' }, 'refused this request', 1],
  ['a busy model', { text_input: 'too busy' }, 'is busy', 3],
])('%s ends the run with its reason; only a busy model is asked again', async (_name, input, reason, attempt, env = {}) => {
  await using replica = withModel(env)
  const rules = [
    { match: { contains: 'refuse me' }, reply: { status: 400 } },
    { match: { contains: 'too busy' }, reply: { status: 429 } },
  ]
  await model.setScript({ rules })
  const { done, user, run_id } = await ask(replica, { text_input: 'x', enable_tools: false, ...input })
  expect(done.metadata).toMatchObject({ status: 'error', error: expect.stringContaining(reason) })
  expect(await replica.services.runs.get(user, run_id)).toMatchObject({ status: 'failed', attempt })
})

test('an endless answer is cut and marked', async () => {
  await using replica = withModel()
  await model.setScript({ rules: [{ reply: { text: 'la '.repeat(500), endless: true } }] })
  const { done, entries } = await ask(replica, { text_input: 'sing', enable_tools: false })
  expectWholeLog(entries, done.content)
  expect(done.content.length).toBeLessThanOrEqual(96 * 1024)
  expect(done.content).toMatch(/cut here/)
  expect(done.logs.at(-1)?.msg).toMatch(/longest/)
})

test('characters that cannot be stored are replaced before anybody sees them', async () => {
  await using replica = withModel()
  await model.setScript({ rules: [{ reply: { text: 'a\0 \ud83d b 🙂' } }] })
  const { user, session_id, done, entries } = await ask(replica, { text_input: 'odd', enable_tools: false })
  expect(done.content).toBe('a \ufffd b 🙂')
  expectWholeLog(entries, done.content)
  expect((await replica.services.sessions.messages(user, session_id)).messages.at(-1)?.content).toBe(done.content)
})

/** Starts a run and waits until it is in the middle of a slow answer. */
async function midAnswer(replica: Replica) {
  await model.setScript({ rules: [{ reply: { text: 'word '.repeat(2_000), tokens_per_second: 50 } }] })
  const user = randomUUID()
  const { run_id, session_id } = await replica.services.startRun.start(
    chat({ text_input: 'talk', enable_tools: false }),
    testUserContext(user),
  )
  await waitFor(async () => textOf(await entriesOf(replica, user, run_id)).length > 20, { what: 'some text' })
  return { user, run_id, session_id }
}

test('stop ends the model call, and the partial text is the answer', async () => {
  await using replica = withModel()
  const { user, run_id, session_id } = await midAnswer(replica)
  await replica.services.runs.stop(user, run_id)
  const done = await doneOf(replica, user, run_id)
  const entries = await entriesOf(replica, user, run_id)
  expectWholeLog(entries, done.content)
  expect(done.metadata.status).toBe('stopped')
  expect(done.content).toMatch(/^word word/)
  expect((await replica.services.runs.stop(user, run_id)).status).toBe('cancelled')
  expect((await replica.services.sessions.messages(user, session_id)).messages.at(-1)?.content).toBe(done.content)
})

test('the end of a sign-in ends its runs, running and waiting ones', async () => {
  await using replica = withModel()
  const { user, run_id, session_id } = await midAnswer(replica)
  const waiting = await replica.services.startRun.start(chat({ text_input: 'more', session_id }), testUserContext(user))
  await replica.services.runs.revoke({ sid: user, sub: null, revoked_at: new Date().toISOString() })
  for (const id of [run_id, waiting.run_id]) {
    expect((await doneOf(replica, user, id)).metadata.status).toBe('stopped')
  }
  expect((await doneOf(replica, user, run_id)).metadata.error).toMatch(/sign-in/)
})

test('a run whose grant has ended does not start', async () => {
  await using replica = withModel()
  fixture.grants.revoked = true
  const { done } = await ask(replica, { text_input: 'x' })
  expect(done).toMatchObject({ content: '', metadata: { status: 'stopped', iterations: 0 } })
})

test('a replica that shuts down hands over its run, which continues in mid-sentence', async () => {
  const first = withModel()
  const { user, run_id } = await midAnswer(first)
  await using second = withModel()
  await model.setScript({ rules: [{ reply: { text: 'word '.repeat(2_000) } }] })
  await first[Symbol.asyncDispose]()
  const done = await doneOf(second, user, run_id)
  const entries = await entriesOf(second, user, run_id)
  expectWholeLog(entries, 'word '.repeat(2_000))
  expect(done.metadata).toMatchObject({ status: 'success', iterations: 1 })
  expect(entries.filter(({ body }) => body.event === 'rewind').length).toBeGreaterThan(0)
})

test('a replica that dies is replaced, and no stored text appears twice', async () => {
  await using first = withModel()
  const { user, run_id } = await midAnswer(first)
  await first.die()
  await using second = withModel()
  await model.setScript({ rules: [{ reply: { text: 'word '.repeat(2_000) } }] })
  const done = await doneOf(second, user, run_id)
  expectWholeLog(await entriesOf(second, user, run_id), 'word '.repeat(2_000))
  expect(done.metadata.status).toBe('success')
}, 90_000)

test('results of tools outlive their replica; a call without a result is repeated only when that is harmless', async () => {
  const counts = { safe: 0, risky: 0 }
  const hanging = Promise.withResolvers<string>()
  const tools: TestTool[] = [
    knowledgeSearch(PASSAGES),
    {
      name: 'safe',
      annotations: { idempotentHint: true },
      run: async () => ((counts.safe += 1), counts.safe === 1 ? hanging.promise : 'safe result'),
    },
    { name: 'risky', run: async () => ((counts.risky += 1), hanging.promise) },
  ]
  await using own = await ownTools(...tools)
  for (const name of ['safe', 'risky'] as const) {
    await model.setScript({
      rules: [
        {
          match: { last_role: 'user' },
          reply: { text: 'Looking. ', tool_calls: [{ name: 'knowledge_search', arguments: { query: 'x' } }, { name }] },
        },
        { reply: { text: 'Leave is 30 days [1].' } },
      ],
    })
    const first = withModel(own.env)
    const user = randomUUID()
    const { run_id } = await first.services.startRun.start(chat({ text_input: 'go' }), testUserContext(user))
    await waitFor(() => counts[name] === 1, { what: `a call of ${name}` })
    await using second = withModel(own.env)
    await first[Symbol.asyncDispose]()
    const done = await doneOf(second, user, run_id)
    expectWholeLog(await entriesOf(second, user, run_id), 'Looking. Leave is 30 days [1].')
    expect(done.citations.map(({ index }) => index)).toEqual([1])
    expect(done.metadata).toMatchObject({ status: 'success', iterations: 2, tool_calls: 2 })
    const ends = done.tool_events.filter(({ status }) => status !== 'start').map(({ tool, status }) => [tool, status])
    expect(ends).toEqual([
      ['knowledge_search', 'end'],
      [name, name === 'safe' ? 'end' : 'error'],
    ])
    expect(done.logs.some(({ msg }) => msg.includes('outcome unknown'))).toBe(name === 'risky')
  }
  expect(counts).toEqual({ safe: 2, risky: 1 })
  expect(own.calls.filter(({ tool }) => tool === 'knowledge_search')).toHaveLength(2)
  hanging.resolve('late')
}, 90_000)

test('an attempt logs the end of a call whose result an earlier attempt stored without logging it', async () => {
  const hanging = Promise.withResolvers<string>()
  let waits = 0
  const wait: TestTool = {
    name: 'wait',
    annotations: { idempotentHint: true },
    run: async () => ((waits += 1), waits === 1 ? hanging.promise : 'waited'),
  }
  await using own = await ownTools(knowledgeSearch(PASSAGES), wait)
  const calls = [{ name: 'knowledge_search', arguments: { query: 'x' } }, { name: 'wait' }]
  await model.setScript({
    rules: [{ match: { last_role: 'user' }, reply: { tool_calls: calls } }, { reply: { text: 'Leave is 30 days [1].' } }],
  })
  const first = withModel(own.env)
  const user = randomUUID()
  const { run_id } = await first.services.startRun.start(chat({ text_input: 'go' }), testUserContext(user))
  await waitFor(() => waits === 1, { what: 'the call of wait' })
  await first[Symbol.asyncDispose]()
  await using reader = fixture.replica({}, { worker: false })
  const end = (await entriesOf(reader, user, run_id)).find(({ body }) => body.event === 'tool' && body.data.status === 'end')
  await asAdmin(fixture.adminUrl, `delete from chat_agent.run_entries where run_id = '${run_id}' and n >= ${end?.n}`)

  await using second = withModel(own.env)
  const done = await doneOf(second, user, run_id)
  expectWholeLog(await entriesOf(second, user, run_id), 'Leave is 30 days [1].')
  expect(done.tool_events.map(({ tool, status }) => [tool, status])).toEqual([
    ['knowledge_search', 'start'],
    ['knowledge_search', 'end'],
    ['wait', 'start'],
    ['wait', 'end'],
  ])
  expect(own.calls.filter(({ tool }) => tool === 'knowledge_search')).toHaveLength(1)
  hanging.resolve('late')
}, 90_000)

test('what was searched before the model was asked outlives its replica', async () => {
  await using own = await ownTools(knowledgeSearch(PASSAGES))
  await using silent = await startModel(() => {}, says('Leave is 30 days [1].'))
  const env = { ...own.env, LLM__OLLAMA_BASE_URL: silent.url }
  const first = fixture.replica(env)
  const user = randomUUID()
  const input = chat({ text_input: 'How much leave?', strategy: 'rag' })
  const { run_id } = await first.services.startRun.start(input, testUserContext(user))
  await waitFor(() => silent.asked() === 1, { what: 'the call of the model' })
  await using second = fixture.replica(env)
  await first[Symbol.asyncDispose]()
  const done = await doneOf(second, user, run_id)
  expectWholeLog(await entriesOf(second, user, run_id), 'Leave is 30 days [1].')
  expect(done.citations.map(({ index }) => index)).toEqual([1])
  expect(own.calls).toMatchObject([{ tool: 'knowledge_search', input: { query: 'How much leave?' } }])
}, 90_000)

test('a run without attempts left ends with one done', async () => {
  await using waiting = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url }, { worker: false })
  const user = randomUUID()
  const { run_id } = await waiting.services.startRun.start(chat({ text_input: 'x' }), testUserContext(user))
  await asAdmin(fixture.adminUrl, `update chat_agent.jobs set attempt = max_attempts where id = '${run_id}'`)
  await using replica = withModel()
  const done = await doneOf(replica, user, run_id)
  const entries = await entriesOf(replica, user, run_id)
  expectWholeLog(entries, '')
  expect(done.metadata.status).toBe('error')
  expect((await replica.services.runs.getTask(user, run_id)).state).toBe('failed')
})
