import { randomUUID } from 'node:crypto'
import type { RunStep } from '@youworker/contracts/agent/run-steps'
import { LIMITS } from '@youworker/contracts/limits'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { startMcpServer } from '@youworker/test-kit/mcp-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { asAdmin, chat, chatDatabase, doneOf, entriesOf, type Replica, textOf } from '../../test-fixture.ts'
import { breaksOff, type Reply, says, startModel } from '../../test-model.ts'

const COUNTS = { prompt_eval_count: 40, eval_count: 20 }

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

const replicaOf = (model: { url: string }, env: Record<string, string> = {}) =>
  fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, ...env })

async function start(replica: Replica, input: object, user: string = randomUUID()) {
  return { user, ...(await replica.services.startRun.start(chat(input), testUserContext(user))) }
}

type Started = Pick<Awaited<ReturnType<typeof start>>, 'user' | 'run_id'>

/** As if the time of a dead process's lease had passed. */
const leaseEnds = ({ run_id }: Started) =>
  asAdmin(fixture.adminUrl, `update chat_agent.jobs set lease_until = now() where id = '${run_id}'`)

/** All pages. */
async function stepsOf({ services }: Replica, { user, run_id }: Started, include?: 'content'): Promise<RunStep[]> {
  const all: RunStep[] = []
  for (let after: number | null = 0; after !== null;) {
    const page = await services.steps.list(user, { run_id, include, after, limit: 3 })
    all.push(...page.steps)
    after = page.next
  }
  return all
}

const callsOf = (steps: readonly RunStep[]) => steps.flatMap((step) => (step.kind === 'model' ? [step] : []))
const thinks =
  (thinking: string, reply: Reply): Reply =>
  async (answer, ...more) => {
    answer.line({ message: { role: 'assistant', content: '', thinking }, done: false })
    await reply(answer, ...more)
  }
const wants =
  (...names: string[]): Reply =>
  ({ line, end }) => {
    const tool_calls = names.map((name) => ({ function: { name, arguments: { of: 'the moon' } } }))
    line({ message: { role: 'assistant', content: 'Let me look.', tool_calls }, done: false })
    end(COUNTS)
  }

test('each call of a run is a step with what it was given and answered; a conversation is not stored again with each', async () => {
  await using model = await startModel(
    thinks('I should look it up.', wants('look', 'look')),
    says('It is far away [1].', COUNTS),
    says('Yes.', COUNTS),
  )
  const look = { name: 'look', input: z.object({ of: z.string() }), run: async () => 'about 384,400 km' }
  await using server = await startMcpServer({ tools: [look] })
  await using replica = replicaOf(model, { MCP__SERVER_URLS: `sky=${server.url}`, MCP__ALLOWED_TOOLS: 'sky/look' })
  const question = `How far is the moon? ${'Please. '.repeat(2_000)}`
  const parameters = { temperature: 0.5, max_tokens: 500, num_ctx: 9_000 }
  const first = await start(replica, { text_input: question, instructions: 'Be brief.', parameters })
  const done = await doneOf(replica, first.user, first.run_id)
  expect(done.content).toBe('Let me look.It is far away .')

  const light = await stepsOf(replica, first)
  const { user, run_id, session_id } = first
  expect(light.map(({ index, kind, status, iteration, error }) => [index, kind, status, iteration, error])).toEqual([
    [1, 'model', 'done', 1, null],
    [2, 'tool', 'done', 1, null],
    [3, 'tool', 'done', 1, null],
    [4, 'model', 'done', 2, null],
  ])
  const known = { model: 'm', backend: 'ollama', attempt: 1, tokens_in: 40, tokens_out: 20, estimated: false, parameters }
  expect(callsOf(light)).toMatchObject([
    { ...known, finish_reason: 'tool_calls' },
    { ...known, finish_reason: null },
  ])
  for (const { started_at, latency_ms } of light) {
    expect(Date.now() - Date.parse(started_at ?? '')).toBeLessThan(60_000)
    expect(latency_ms).toBeGreaterThanOrEqual(0)
  }
  expect(JSON.stringify(light)).not.toMatch(/content|look it up|384,400|How far/)

  const steps = await stepsOf(replica, first, 'content')
  expect(steps.map(({ content: _content, ...step }) => step)).toEqual(light)
  const calls = callsOf(steps).map(({ content }) => content)
  const tool_calls = [1, 2].map(() => ({ name: 'look', arguments: { of: 'the moon' } }))
  const asked = [
    { role: 'system', content: expect.stringMatching(/^You are YouWorker[\s\S]*\n\nBe brief\.$/) },
    { role: 'user', content: question },
  ]
  const looked = { role: 'tool', content: 'about 384,400 km', tool_name: 'look' }
  expect(calls).toEqual([
    {
      prompt: asked,
      tools: ['look'],
      response: { content: 'Let me look.', thinking: 'I should look it up.', tool_calls },
      cut: false,
    },
    {
      prompt: [...asked, { role: 'assistant', content: 'Let me look.', tool_calls }, looked, looked],
      tools: ['look'],
      response: { content: 'It is far away [1].', thinking: '', tool_calls: [] },
      cut: false,
    },
  ])
  expect(steps[1]?.content).toEqual({ arguments: { of: 'the moon' }, result: 'about 384,400 km', cut: false })

  const next = await start(replica, { text_input: 'Really?', session_id, enable_tools: false }, user)
  await doneOf(replica, user, next.run_id)
  const [really] = callsOf(await stepsOf(replica, next, 'content'))
  const history = [question, 'Let me look.It is far away .', 'Really?']
  expect(really?.content?.prompt?.slice(1).map(({ content }) => content)).toEqual(history)
  const stored = await asAdmin<{ content: Buffer }>(
    fixture.adminUrl,
    `select content from chat_agent.model_steps where run_id in ('${run_id}', '${next.run_id}')`,
  )
  expect(stored).toHaveLength(3)
  for (const { content } of stored) {
    expect(content.length).toBeLessThan(3_000)
    expect(content.toString('latin1')).not.toMatch(/moon|look|YouWorker|far away/)
  }
  await expect(replica.services.steps.list(randomUUID(), { run_id, after: 0, limit: 10 })).rejects.toMatchObject({
    code: 'RUN_NOT_FOUND',
  })

  // A sealed call opens in no other row.
  await asAdmin(
    fixture.adminUrl,
    `update chat_agent.model_steps as step set content = (select content from chat_agent.model_steps as other
       where other.run_id = step.run_id and other.iteration = 2) where run_id = '${run_id}'`,
  )
  await expect(stepsOf(replica, first, 'content')).rejects.toThrow()
  await replica.services.deletion.delete({ session_id: session_id, purge: true }, testUserContext(user))
  for (const table of ['model_steps', 'unfinished_calls', 'tool_runs', 'run_entries', 'jobs'])
    expect(await asAdmin(fixture.adminUrl, `select from chat_agent.${table} where space_id = '${user}'`)).toEqual([])
})

test('calls that failed, were stopped or lost their process are steps, and count their tokens', async () => {
  const hangs: Reply = () => {}
  await using model = await startModel(
    thinks('Hm, the moon.', breaksOff('The moon')),
    ({ text }) => text(' is'),
    hangs,
    thinks('Still the moon.', hangs),
    ({ text }) => text(' far away'),
  )
  const first = replicaOf(model)
  const started = await start(first, { text_input: 'How far is the moon?', enable_tools: false, show_thinking: true })
  const text = async (replica: Replica) => textOf(await entriesOf(replica, started.user, started.run_id))
  await waitFor(async () => (await text(first)) === 'The moon is', { what: 'the text of the second call' })
  expect((await stepsOf(first, started)).map(({ status }) => status)).toEqual(['failed', 'running'])
  await first.die()
  await leaseEnds(started)
  // Two more die, one before the model says anything, and one while it thinks.
  for (const [asked, event] of [
    [3, 'status'],
    [4, 'thinking'],
  ] as const) {
    const next = replicaOf(model)
    await waitFor(() => model.asked() === asked, { what: 'the next call' })
    const isStored = async () => (await entriesOf(next, started.user, started.run_id)).at(-1)?.body.event === event
    await waitFor(isStored, { what: 'the entry about it' })
    await next.die()
    await leaseEnds(started)
  }

  await using third = replicaOf(model)
  await waitFor(async () => (await text(third)) === 'The moon is far away', { what: 'the text of the third call' })
  await third.services.runs.stop(started.user, started.run_id)
  const done = await doneOf(third, started.user, started.run_id)
  expect(done).toMatchObject({ content: 'The moon is far away', metadata: { status: 'stopped', tokens_estimated: true } })
  const calls = callsOf(await stepsOf(third, started, 'content'))
  expect(calls.map(({ status, iteration, estimated, error }) => [status, iteration, estimated, error])).toEqual([
    ['failed', 1, true, expect.stringContaining('broke off')],
    ['interrupted', 1, true, null],
    ['interrupted', 1, true, null],
    ['interrupted', 1, true, null],
    ['stopped', 1, true, null],
  ])
  const words = ['Hm, the moon.The moon', ' is', '', 'Still the moon.', ' far away'].map(countTokens)
  expect(calls.map(({ tokens_out }) => tokens_out)).toEqual(words)
  expect(Math.min(...calls.map(({ tokens_in }) => tokens_in))).toBeGreaterThan(5)
  const sum = (name: 'tokens_in' | 'tokens_out') => calls.reduce((total, call) => total + call[name], 0)
  expect(done.metadata).toMatchObject({ tokens_in: sum('tokens_in'), tokens_out: sum('tokens_out') })
  expect(calls.map(({ content }) => content?.response.content)).toEqual(['The moon', ' is', '', '', ' far away'])
  const thoughts = ['Hm, the moon.', '', '', 'Still the moon.', '']
  expect(calls.map(({ content }) => content?.response.thinking)).toEqual(thoughts)
  // What a dead process had asked is not known; what the last one asked continues the text.
  expect(calls[1]?.content?.prompt).toBeNull()
  expect(calls[4]?.content?.prompt?.at(-1)).toEqual({ role: 'assistant', content: 'The moon is' })
}, 60_000)

test('while a run runs its steps tell what it does; a tool call that nobody knows the end of says so', async () => {
  const hanging = Promise.withResolvers<string>()
  await using model = await startModel(wants('risky', 'risky'), () => {})
  await using server = await startMcpServer({ tools: [{ name: 'risky', run: () => hanging.promise }] })
  const env = { MCP__SERVER_URLS: `sky=${server.url}`, MCP__ALLOWED_TOOLS: 'sky/risky' }
  const first = replicaOf(model, env)
  const started = await start(first, { text_input: 'Go.' })
  await waitFor(() => server.calls.length === 1, { what: 'the tool call' })
  const statuses = async (replica: Replica) => (await stepsOf(replica, started)).map(({ status }) => status)
  expect(await statuses(first)).toEqual(['done', 'running', 'pending'])
  await first[Symbol.asyncDispose]()
  hanging.resolve('done')
  await using second = replicaOf(model, env)
  await waitFor(() => model.asked() === 2, { what: 'the second call of the model' })
  expect(await statuses(second)).toEqual(['done', 'outcome_unknown', 'done', 'running'])
  const steps = await stepsOf(second, started)
  expect([steps[1]?.error, steps[3]?.latency_ms]).toEqual([expect.stringContaining('outcome unknown'), null])
  await second.services.runs.stop(started.user, started.run_id)
  await doneOf(second, started.user, started.run_id)
}, 60_000)

test('a conversation that its client sends is shown from there; what is too long is cut, and said so', async () => {
  await using model = await startModel(says('Well.', COUNTS))
  await using replica = replicaOf(model, { LLM__CONTEXT_TOKENS: '1000000' })
  const user = randomUUID()
  const conversation = [
    ...Array.from(
      { length: 12 },
      (_, n) => ({ role: n % 2 ? 'assistant' : 'user', content: `${n}${'x'.repeat(30_000)}` }) as const,
    ),
    { role: 'user', content: 'And now?' } as const,
  ]
  const input = { ...chat({ enable_tools: false }), conversation, plain: true, append_only: true, text_input: 'And now?' }
  const { run_id } = await replica.services.startRun.start(input, testUserContext(user))
  await doneOf(replica, user, run_id)
  const [call] = callsOf(await stepsOf(replica, { user, run_id }, 'content'))
  const prompt = call?.content?.prompt ?? []
  expect(prompt.at(-1)).toEqual({ role: 'user', content: 'And now?' })
  expect(prompt.at(-2)).toEqual(conversation[11])
  expect([call?.content?.cut, call?.content?.response.content]).toEqual([true, 'Well.'])
  expect(JSON.stringify(prompt).length).toBeGreaterThan(150_000)
  expect(JSON.stringify(call).length).toBeLessThan(LIMITS.entriesPage)
  const [row] = await asAdmin<{ bytes: number }>(
    fixture.adminUrl,
    `select octet_length(content) as bytes from chat_agent.model_steps where run_id = '${run_id}'`,
  )
  expect(row?.bytes).toBeLessThan(1_000)
})
