import { testUserContext } from '@youworker/messaging/requests/test-context'
import { randomUUID } from 'node:crypto'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, type Replica } from '../../test-fixture.ts'
import { type Reply, says, startModel } from '../../test-model.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

type Asked = Parameters<Reply>[1]
const ENV = { LLM__CONTEXT_TOKENS: '2048' }
const isSummary = ({ messages }: Asked) => messages[0]?.content.startsWith('Write the summary') === true

/** A model that answers at length, and summarises with `summarise`. */
async function talker(summarise: Reply = says('They spoke of topics [1].', { prompt_eval_count: 500, eval_count: 7 })) {
  const answers: Asked[] = []
  const summaries: Asked[] = []
  const model = await startModel((answer, asked, headers) => {
    if (!isSummary(asked)) {
      answers.push(asked)
      return says(`Answer ${answers.length}. ${'blah '.repeat(150)}`)(answer, asked, headers)
    }
    summaries.push(asked)
    return summarise(answer, asked, headers)
  })
  return { url: model.url, answers, summaries, [Symbol.asyncDispose]: () => model[Symbol.asyncDispose]() }
}

const queueOf = (session: string) =>
  asAdmin<{ id: string }>(fixture.adminUrl, `select id from chat_agent.jobs where kind = 'summary' and queue_key = '${session}'`)
const summariesOf = (session: string) =>
  asAdmin<{ id: string; turn: number; content: Buffer; tokens_in: number }>(
    fixture.adminUrl,
    `select id, turn, content, tokens_in from chat_agent.messages where session_id = '${session}' and role = 'summary' order by position`,
  )
async function lastRunOf(session: string): Promise<string> {
  const latest = `select id from chat_agent.runs where session_id = '${session}' order by turn desc limit 1`
  return (await asAdmin<{ id: string }>(fixture.adminUrl, latest))[0]?.id ?? ''
}
const idle = (session: string) => waitFor(async () => (await queueOf(session)).length === 0, { what: 'the summary' })
const allOf = async ({ services }: Replica, user: string, session: string) =>
  (await services.sessions.messages(user, session)).messages

/** Asks questions one after another in one session, and waits for what each leads to. */
async function talk(replica: Replica, user: string, [from, to]: readonly [number, number], session_id?: string) {
  let session = session_id
  for (let n = from; n <= to; n += 1) {
    const text_input = `Question ${n}: ${'word '.repeat(200)}`
    const started = await replica.services.startRun.start(chat({ text_input, session_id: session }), testUserContext(user))
    session = started.session_id
    const done = await doneOf(replica, user, started.run_id)
    expect(done.metadata).toMatchObject({ status: 'success' })
  }
  await idle(session ?? '')
  return session ?? ''
}

test('older turns are summarised behind an answer, and later answers get the summary as data and the newer turns', async () => {
  await using model = await talker()
  await using replica = fixture.replica({ ...ENV, LLM__OLLAMA_BASE_URL: model.url })
  const user = randomUUID()
  const session = await talk(replica, user, [1, 4])
  expect(model.summaries).toHaveLength(1)
  const [asked] = model.summaries
  expect(asked?.messages.map(({ role }) => role)).toEqual(['system', 'user'])
  const lines = asked?.messages[1]?.content.split('\n').map((line) => Object(JSON.parse(line)).text.slice(0, 10))
  expect(lines?.slice(0, 2)).toEqual(['Question 1', 'Answer 1. '])
  const [stored] = await summariesOf(session)
  expect(stored).toMatchObject({ tokens_in: 500 })
  expect(stored?.content.includes('topics')).toBe(false)

  await talk(replica, user, [5, 5], session)
  const shown = model.answers.at(-1)?.messages ?? []
  expect(shown.slice(1, 3)).toMatchObject([
    { role: 'user', content: 'Summarise our conversation up to here.' },
    { role: 'assistant', content: 'Summary of the earlier conversation:\n\nThey spoke of topics .' },
  ])
  expect(shown[0]?.content).not.toContain('topics')
  expect(shown.filter(({ role }) => role === 'user').map(({ content }) => content.slice(0, 10))).toEqual([
    'Summarise ',
    ...Array.from({ length: 5 - (stored?.turn ?? 0) }, (_, index) => `Question ${(stored?.turn ?? 0) + 1 + index}`),
  ])

  const given = { messages: shown, run_id: await lastRunOf(session) }

  await talk(replica, user, [6, 9], session)
  const { steps } = await replica.services.steps.list(user, { run_id: given.run_id, include: 'content', after: 0, limit: 5 })
  expect(steps[0]).toMatchObject({ content: { prompt: given.messages, cut: false } })
  expect(model.summaries.length).toBeGreaterThan(1)
  expect(model.summaries.at(-1)?.messages[1]?.content).toContain('{"role":"summary","text":"They spoke of topics ."}')
  expect(model.summaries.at(-1)?.messages[1]?.content).not.toContain('Question 1:')
  const all = await allOf(replica, user, session)
  expect(all.map(({ role }) => role)).toEqual(Array.from({ length: 18 }, (_, index) => (index % 2 === 0 ? 'user' : 'assistant')))
  expect((await replica.services.sessions.get(user, session)).message_count).toBe(18)
  const done = await doneOf(replica, user, await lastRunOf(session))
  expect(done.logs).toContainEqual(expect.objectContaining({ msg: expect.stringContaining('as a summary') }))
  const events = await asAdmin<{ data: object }>(
    fixture.adminUrl,
    "select data from chat_agent.outbox where subject like '%summary.finished' order by position",
  )
  expect(events[0]?.data).toMatchObject({
    session_id: session,
    user_id: user,
    status: 'success',
    model: 'm',
    tokens_in: 500,
    tokens_out: 7,
    estimated: false,
  })
  await replica.services.deletion.delete({ session_id: session, purge: true }, testUserContext(user))
  expect(await summariesOf(session)).toEqual([])
})

test('a model that fails to summarise fails no answer: the oldest turns are left out, and what it used is counted', async () => {
  await using model = await talker(({ text, response }) => {
    text('They')
    setTimeout(() => response.destroy(), 20)
  })
  await using replica = fixture.replica({ ...ENV, LLM__OLLAMA_BASE_URL: model.url })
  const user = randomUUID()
  const session = await talk(replica, user, [1, 7])
  expect(await summariesOf(session)).toEqual([])
  expect(model.summaries.length).toBeGreaterThan(0)
  expect(model.answers.at(-1)?.messages[1]?.content).toMatch(/^Question [3-6]/)
  const events = await asAdmin<{ data: object }>(
    fixture.adminUrl,
    `select data from chat_agent.outbox where subject like '%summary.finished' and data->>'session_id' = '${session}'`,
  )
  expect(events[0]?.data).toMatchObject({ status: 'failed', estimated: true, tokens_out: 1 })
  expect((await allOf(replica, user, session)).length).toBe(14)
})

test('a summary whose process ends is written by another one, once; one of a session that is erased meanwhile is not kept', async () => {
  const open: (() => void)[] = []
  let isHeld = true
  await using model = await talker((answer, asked, headers) => {
    if (isHeld) open.push(() => void says('late')(answer, asked, headers))
    else void says('They spoke.')(answer, asked, headers)
  })
  const env = { ...ENV, LLM__OLLAMA_BASE_URL: model.url, LLM__OLLAMA_CONCURRENCY: '5' }
  const first = fixture.replica(env)
  const user = randomUUID()
  let session: string | undefined
  for (let n = 1; open.length === 0; n += 1) {
    const input = chat({ text_input: `Question ${n}: ${'word '.repeat(200)}`, session_id: session })
    const started = await first.services.startRun.start(input, testUserContext(user))
    session = started.session_id
    await doneOf(first, user, started.run_id)
    const job = (await queueOf(session)).length > 0
    if (job) await waitFor(async () => open.length > 0, { what: 'the call' })
  }
  isHeld = false
  await first[Symbol.asyncDispose]()
  await using second = fixture.replica(env)
  await idle(session ?? '')
  expect(await summariesOf(session ?? '')).toHaveLength(1)

  isHeld = true
  open.length = 0
  for (let n = 1; open.length === 0; n += 1) {
    const input = chat({ text_input: `Question ${n}: ${'word '.repeat(200)}`, session_id: session })
    const { run_id } = await second.services.startRun.start(input, testUserContext(user))
    await doneOf(second, user, run_id)
    if ((await queueOf(session ?? '')).length > 0) await waitFor(async () => open.length > 0, { what: 'the call' })
  }
  await second.services.deletion.delete({ session_id: session ?? '', purge: true }, testUserContext(user))
  expect(await queueOf(session ?? '')).toEqual([])
  for (const answer of open) answer()
  await waitFor(
    async () => (await asAdmin(fixture.adminUrl, `select from chat_agent.messages where session_id = '${session}'`)).length === 0,
    { what: 'nothing' },
  )
})

test('a summary that was begun from one which is erased meanwhile is not kept', async () => {
  const open: (() => void)[] = []
  let isHeld = false
  await using model = await talker((answer, asked, headers) => {
    if (isHeld) open.push(() => void says('late')(answer, asked, headers))
    else void says('They spoke.')(answer, asked, headers)
  })
  await using replica = fixture.replica({ ...ENV, LLM__OLLAMA_BASE_URL: model.url, LLM__OLLAMA_CONCURRENCY: '5' })
  const { startRun, responses } = replica.services
  const user = randomUUID()
  const text_input = `Question 1: ${'word '.repeat(200)}`
  const asResponse = { conversation: [{ role: 'user' as const, content: text_input }], request: {}, plain: true }
  const first = await startRun.start({ ...chat({ text_input }), ...asResponse }, testUserContext(user))
  await doneOf(replica, user, first.run_id)
  const session = await talk(replica, user, [2, 5], first.session_id)
  const before = await summariesOf(session)
  expect(before.length).toBeGreaterThan(0)

  isHeld = true
  for (let n = 6; open.length === 0; n += 1) {
    const input = chat({ text_input: `Question ${n}: ${'word '.repeat(200)}`, session_id: session })
    await doneOf(replica, user, (await startRun.start(input, testUserContext(user))).run_id)
    if ((await queueOf(session)).length > 0) await waitFor(async () => open.length > 0, { what: 'the call' })
  }
  expect(model.summaries.at(-1)?.messages[1]?.content).toContain('They spoke.')
  await responses.delete(first.run_id, testUserContext(user))
  isHeld = false
  for (const answer of open) answer()
  await idle(session)
  expect(await summariesOf(session)).toEqual([])
})

test('a branch is given the summaries of the turns that it has, and none that covers others', async () => {
  await using model = await talker()
  await using replica = fixture.replica({ ...ENV, LLM__OLLAMA_BASE_URL: model.url })
  const { startRun, branches } = replica.services
  const user = randomUUID()
  const session = await talk(replica, user, [1, 5])
  const [stored] = await summariesOf(session)
  const covered = stored?.turn ?? 0
  expect(covered).toBeGreaterThan(1)
  const shown = () => model.answers.at(-1)?.messages.slice(1) ?? []
  const isSummarised = () => JSON.stringify(shown()).includes('They spoke of topics')
  const all = await allOf(replica, user, session)
  const retry = async (turn: number, content?: string) => {
    const message_id = all.find((message) => message.content.startsWith(`Question ${turn}:`))?.id ?? ''
    const { run_id } = await startRun.retry({ session_id: session, message_id, content }, testUserContext(user))
    await doneOf(replica, user, run_id)
    await idle(session)
    return run_id
  }

  await retry(covered, 'Another one?')
  expect(isSummarised()).toBe(false)
  expect(shown().at(-1)?.content).toBe('Another one?')
  expect(shown()[0]?.content).toMatch(/^Question 1:/)
  const goesOn = await startRun.start(chat({ text_input: 'Go on', session_id: session }), testUserContext(user))
  await doneOf(replica, user, goesOn.run_id)
  expect(isSummarised()).toBe(false)
  await idle(session)

  const begun = await retry(covered + 1)
  expect(isSummarised()).toBe(true)
  expect(shown().at(-1)?.content).toMatch(new RegExp(`^Question ${covered + 1}:`))
  const listed = await branches.list(user, { session_id: session, limit: 10, offset: 0 })
  const lastAnswer = all.findLast(({ role }, at) => role === 'assistant' && at < 2 * covered)
  expect(listed.branches.find(({ id }) => id === begun)?.after_message_id).toBe(lastAnswer?.id)
  const own = await allOf(replica, user, session)
  expect(own.map(({ role }) => role)).toEqual(own.map((_, at) => (at % 2 === 0 ? 'user' : 'assistant')))
  const message_id = stored?.id ?? ''
  await expect(startRun.retry({ session_id: session, message_id }, testUserContext(user))).rejects.toMatchObject({
    code: 'MESSAGE_NOT_FOUND',
  })
})
