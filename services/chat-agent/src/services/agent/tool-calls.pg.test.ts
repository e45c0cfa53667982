import { startMcpServer, type TestTool } from '@youworker/test-kit/mcp-server'
import { startOfflineModel, type TestModel } from '@youworker/test-kit/offline-model'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatDatabase, expectWholeLog, type Replica } from '../../test-fixture.ts'

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

const withModel = (env: Record<string, string> = {}): Replica => fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, ...env })

test('a foreign server gets no token; a server that is away is named in the log, and its tools are missing', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({
    MCP__SERVER_URLS: `other=${foreign.url},gone=http://127.0.0.1:9/mcp`,
    MCP__ALLOWED_TOOLS: 'other/*',
  })
  await model.setScript({
    rules: [
      {
        match: { last_role: 'user' },
        reply: {
          tool_calls: [
            { name: 'echo', arguments: { text: 'hi' } },
            { name: 'fail', arguments: {} },
            { name: 'no_such', arguments: {} },
          ],
        },
      },
      { reply: { echo: true } },
    ],
  })
  const { done, entries, user } = await ask(replica, { text_input: 'go' })
  expectWholeLog(entries, done.content)
  expect(done.content).toContain('echo: hi')
  expect(done.content).toContain('Error: this tool always fails')
  expect(done.content).toContain('Error: There is no tool named no_such')
  expect(foreign.calls.map(({ tool, headers }) => [tool, headers['authorization']])).toEqual([
    ['echo', undefined],
    ['fail', undefined],
  ])
  expect(done.logs).toContainEqual({
    level: 'warning',
    msg: 'The tool server gone cannot be reached now; its tools are missing.',
  })
  const listed = await replica.services.toolRuns.list(user, { limit: 10, offset: 0 })
  expect(listed.runs.map(({ status }) => status).toSorted()).toEqual(['error', 'error', 'success'])
})

test('a tool that never answers is given up after its time', async () => {
  await using foreign = await startMcpServer({ tools: [{ name: 'sleepy', run: () => new Promise(() => {}) }] })
  await using replica = withModel({
    MCP__SERVER_URLS: `other=${foreign.url}`,
    MCP__ALLOWED_TOOLS: 'other/*',
    AGENT__TOOL_TIMEOUT_MS: '300',
  })
  await model.setScript({
    rules: [{ match: { last_role: 'user' }, reply: { tool_calls: [{ name: 'sleepy' }] } }, { reply: { text: 'So be it.' } }],
  })
  const { done } = await ask(replica, { text_input: 'go' })
  expect(done).toMatchObject({ content: 'So be it.', metadata: { status: 'success' } })
  // It does not say that a repeated call is harmless, so it is not called again.
  const result_preview = expect.stringMatching(/^outcome unknown: sleepy did not answer in 0\.3 s\./)
  expect(done.tool_events[1]).toMatchObject({ status: 'error', result_preview })
  expect(foreign.calls).toHaveLength(1)
})

test.each([
  ['', []],
  ['other/echo', ['echo']],
  ['elsewhere/*,other/sh', []],
])('of a foreign server only tools that MCP__ALLOWED_TOOLS=%j names can be called', async (allowed, called) => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: allowed })
  const calls = ['echo', 'fail'].map((name) => ({ name, arguments: { text: 'x' } }))
  await model.setScript({ rules: [{ match: { last_role: 'user' }, reply: { tool_calls: calls } }, { reply: { text: 'Done.' } }] })
  const { done } = await ask(replica, { text_input: 'go' })
  expect(done).toMatchObject({ content: 'Done.', metadata: { status: 'success' } })
  expect(foreign.calls.map(({ tool }) => tool)).toEqual(called)
})

test('a server that sends without end fails its call, and the answer goes on', async () => {
  const flood = { name: 'flood', run: async () => 'x'.repeat(3 * 1024 * 1024) }
  await using foreign = await startMcpServer({ tools: [flood] })
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  await model.setScript({
    rules: [{ match: { last_role: 'user' }, reply: { tool_calls: [{ name: 'flood' }] } }, { reply: { text: 'So be it.' } }],
  })
  const { done } = await ask(replica, { text_input: 'go' })
  expect(done).toMatchObject({ content: 'So be it.', metadata: { status: 'success' } })
  expect(done.tool_events[1]).toMatchObject({ status: 'error' })
})

test('at most 16 tool calls of each answer are made, also when the model keeps asking for more', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  const calls = Array.from({ length: 20 }, (_, index) => ({ name: 'echo', arguments: { text: `call ${index + 1}` } }))
  await model.setScript({ rules: [{ times: 2, reply: { tool_calls: calls } }, { reply: { text: 'Enough.' } }] })
  const { done, entries, user } = await ask(replica, { text_input: 'go' })
  expectWholeLog(entries, 'Enough.')
  expect(done.metadata).toMatchObject({ status: 'success', iterations: 3, tool_calls: 32 })
  const made = calls.slice(0, 16).map((call) => call.arguments.text)
  expect(foreign.calls.map(({ input }) => input['text']).toSorted()).toEqual([...made, ...made].toSorted())
  expect((await replica.services.toolRuns.list(user, { limit: 1, offset: 0 })).total).toBe(32)
})

test('calls that only read are made side by side, others in turn; the model reads the results in its own order', async () => {
  const under = new Set<string>()
  const seen: string[][] = []
  const release = Promise.withResolvers<void>()
  const note = (name: string) => {
    under.add(name)
    seen.push([...under].toSorted())
  }
  const reading = (name: string, until: () => Promise<void>): TestTool => ({
    name,
    annotations: { readOnlyHint: true },
    async run() {
      note(name)
      await until()
      under.delete(name)
      return `${name} done`
    },
  })
  const writing: TestTool = {
    name: 'write',
    async run() {
      note('write')
      under.delete('write')
      return 'written'
    },
  }
  // The first ends only after the second has come, which one call after the other never would.
  const tools = [reading('slow', () => release.promise), reading('quick', async () => release.resolve()), writing]
  await using foreign = await startMcpServer({ tools })
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  const wanted = ['slow', 'quick', 'write', 'write', 'slow'].map((name) => ({ name }))
  await model.setScript({
    rules: [{ match: { last_role: 'user' }, reply: { tool_calls: wanted } }, { reply: { echo: true } }],
  })
  const { done, entries } = await ask(replica, { text_input: 'go' })
  expectWholeLog(entries, done.content)
  expect(done.metadata).toMatchObject({ status: 'success', tool_calls: 5 })
  expect(seen.slice(0, 2).at(-1)).toEqual(['quick', 'slow'])
  expect(seen.slice(2)).toEqual([['write'], ['write'], ['slow']])
  const told = JSON.parse(done.content).filter(({ role }: { role: string }) => role === 'tool')
  expect(told.map(({ content }: { content: string }) => content)).toEqual([
    'slow done',
    'quick done',
    'written',
    'written',
    'slow done',
  ])
})

test('arguments that do not fit the schema of a tool are told to the model, and the tool is not called', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  const bad = { tool_calls: [{ name: 'echo', arguments: { text: 7 } }] }
  const good = { tool_calls: [{ name: 'echo', arguments: { text: 'seven' } }] }
  await model.setScript({ rules: [{ times: 1, reply: bad }, { times: 1, reply: good }, { reply: { text: 'Seven.' } }] })
  const { done } = await ask(replica, { text_input: 'go' })
  expect(done.metadata).toMatchObject({ status: 'success', iterations: 3, tool_calls: 2 })
  expect(foreign.calls.map(({ input }) => input)).toEqual([{ text: 'seven' }])
  expect(done.tool_events.filter(({ status }) => status !== 'start')).toMatchObject([
    { status: 'error', result_preview: expect.stringMatching(/do not fit.*text: .*Expected "string"/) },
    { status: 'end', result_preview: 'echo: seven' },
  ])
})

test('an agent that never stops calling tools ends at its limit', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  await model.setScript({ rules: [{ reply: { text: 'once more. ', tool_calls: [{ name: 'echo', arguments: { text: 'x' } }] } }] })
  const { done, entries, run_id, user } = await ask(replica, { text_input: 'go', max_iterations: 3 })
  expectWholeLog(entries, done.content)
  expect(done.metadata).toMatchObject({ status: 'max_iterations', iterations: 3, tool_calls: 2 })
  expect((await replica.services.runs.get(user, run_id)).status).toBe('partial')
})

test('a result that is too long is cut, and the model is told so; what more there was is not kept', async () => {
  const long = { name: 'long', run: async () => `${'x'.repeat(100_000)}THE END` }
  await using foreign = await startMcpServer({ tools: [long] })
  await using replica = withModel({
    MCP__SERVER_URLS: `other=${foreign.url}`,
    MCP__ALLOWED_TOOLS: 'other/*',
    LLM__CONTEXT_TOKENS: '1000000',
  })
  await model.setScript({
    rules: [{ match: { last_role: 'user' }, reply: { tool_calls: [{ name: 'long' }] } }, { reply: { echo: true } }],
  })
  const { run_id, user } = await ask(replica, { text_input: 'go' })
  const { steps } = await replica.services.steps.list(user, { run_id, include: 'content', after: 0, limit: 10 })
  const call = steps.find(({ kind }) => kind === 'tool')
  const result = call?.kind === 'tool' ? (call.content?.result ?? '') : ''
  expect(result.length).toBeLessThanOrEqual(64 * 1024)
  expect(result).toMatch(/^x+\n\(cut: [^)]*\)$/)
})

const react = { strategy: 'react' as const }
const say = (text: string) => ({ times: 1, reply: { text } })

test('in text, too, arguments that do not fit are told to the model, and the tool is not called with them', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  const rules = ['{"text": 7}', '{}', '{"text": "seven"}'].map((json) => say(`Thought: hm\nAction: echo\nAction Input: ${json}`))
  await model.setScript({ rules: [...rules, say('Final Answer: Seven.')] })
  const { done, entries } = await ask(replica, { text_input: 'go', ...react })
  expectWholeLog(entries, 'Seven.')
  expect(done.metadata).toMatchObject({ status: 'success', iterations: 4, tool_calls: 3 })
  expect(foreign.calls.map(({ input }) => input)).toEqual([{ text: 'seven' }])
  expect(done.tool_events.filter(({ status }) => status !== 'start')).toMatchObject([
    { status: 'error', result_preview: expect.stringMatching(/text: .*Expected "string"/) },
    { status: 'error', result_preview: expect.stringMatching(/required property "text"/) },
    { status: 'end', result_preview: 'echo: seven' },
  ])
})

test.each<[string, string, string | RegExp]>([
  ['a call that was cut', 'Action: echo\nAction Input: {"text": "x', 'Ten.'],
  ['two objects', 'Action: echo\nAction Input: {"text":"a"}{"text":"b"}', 'Ten.'],
  ['a text as input', 'Action: echo\nAction Input: "hi"', 'Ten.'],
  ['null as input', 'Action: echo\nAction Input: null', 'Ten.'],
  ['a list as input', 'Action: echo\nAction Input: [{"text":"a"}]', 'Ten.'],
  ['a call as code', 'Action: echo("hi")', 'Ten.'],
  ['a tool that is not there', 'Action: no_such\nAction Input: {"text":"a"}', 'Ten.'],
  ['a name over lines', 'Action:\n\necho me\nAction Input: {"text":"a"}', 'Ten.'],
  ['a result of its own', 'Observation: ten\nFinal Answer: made up', /./],
  ['input without a name', 'Action Input: {"text":"a"}', /./],
  ['only a mark', 'Final Answer:', /./],
  ['only blanks', ' \n\t\n', /./],
  ['only a thought', 'Thought: It is ten.', 'It is ten.'],
  ['marks in other letters', 'ACTION: echo\nACTION INPUT: {"text":"a"}', /ACTION: echo/],
  ['marks within a line', 'I use Action: echo Action Input: {"text":"a"}', /I use Action/],
  ['an input of 200 KB', `Action: echo\nAction Input: {"text":"${'x'.repeat(200_000)}`, 'Ten.'],
])('a model that writes %s comes to an answer, and no tool is called', async (_what, text, answer) => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  await model.setScript({ rules: [say(text), { reply: { text: 'Final Answer: Ten.' } }] })
  const { done, entries } = await ask(replica, { text_input: 'go', ...react })
  expectWholeLog(entries, done.content)
  expect(done.metadata.status).toBe('success')
  if (typeof answer === 'string') expect(done.content).toBe(answer)
  else expect(done.content).toMatch(answer)
  expect(done.content).not.toContain('made up')
  expect(foreign.calls).toEqual([])
})

test('a model that calls a tool although the documents were searched for it calls none', async () => {
  await using foreign = await startMcpServer()
  await using replica = withModel({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  for (const args of [{ text: 'x' }, { text: 7 }, {}]) {
    await model.setScript({ rules: [{ reply: { text: 'Ten.', tool_calls: [{ name: 'echo', arguments: args }] } }] })
    const { done, entries } = await ask(replica, { text_input: 'go', strategy: 'rag' })
    expectWholeLog(entries, done.content)
    expect(done.content).toContain('Ten.')
    expect(done.metadata.status).toBe('success')
  }
  expect(foreign.calls).toEqual([])
})
