import { randomUUID } from 'node:crypto'
import { testCaller, testUserContext } from '@youworker/messaging/requests/test-context'
import { metrics, renderMetrics } from '@youworker/runtime/health/metrics'
import { startMcpServer } from '@youworker/test-kit/mcp-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, entriesOf, expectWholeLog, type Replica, textOf } from '../../test-fixture.ts'
import { sweepAnswers } from '../../jobs/sweep-answers.ts'
import { refuses, says, startModel } from '../../test-model.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

type Context = ReturnType<typeof testUserContext>

async function answerTo(replica: Replica, input: object, context: Context) {
  const started = await replica.services.startRun.start(chat({ enable_tools: false, ...input }), context)
  const done = await doneOf(replica, context.caller.user_id, started.run_id)
  return { ...started, done, isCached: done.metadata.cached === true }
}

/** A model, a replica that asks it, and a user who asks with `cache`. */
async function withCache(env: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack()
  const model = stack.use(
    await startModel(({ text, end }, { messages }) => {
      text(`Heard ${messages.length}: ${messages.at(-1)?.content}`)
      end({ prompt_eval_count: 7, eval_count: 3 })
    }),
  )
  const replica = stack.use(fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, ...env }))
  const user = randomUUID()
  const ask = (input: object, context = testUserContext(user)) =>
    answerTo(replica, { text_input: 'What is a moon?', cache: true, ...input }, context)
  return { model, replica, user, ask, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('the second time the answer comes without the model, as a run like any other', async () => {
  await using system = await withCache()
  const { ask, replica, user, model } = system
  const first = await ask({})
  expect(first.isCached).toBe(false)
  const made = fixture.grants.made.length
  const counted = (await renderMetrics()).body
  const second = await ask({})
  const hits = (text: string) => Number(/^cache_hits_total\{cache="answers",tier="database"\} (\d+)$/m.exec(text)?.[1] ?? 0)
  expect(hits((await renderMetrics()).body)).toBe(hits(counted) + 1)
  expect(model.asked()).toBe(1)
  expect(fixture.grants.made).toHaveLength(made)
  expect(second.done).toEqual({
    ...first.done,
    metadata: {
      ...first.done.metadata,
      session_id: second.session_id,
      session_external_id: second.session_external_id,
      iterations: 0,
      tokens_in: 0,
      tokens_out: 0,
      ttft_ms: 0,
      duration_ms: 0,
      cached: true,
    },
  })
  const entries = await entriesOf(replica, user, second.run_id)
  expectWholeLog(entries, first.done.content)
  expect(entries.map(({ body }) => body.event)).toEqual(['run', 'status', 'token', 'done'])
  // Who listens from the start on has them all.
  expect(second.entries).toEqual(entries)
  expect(replica.live.filter(({ runId }) => runId === second.run_id)).toEqual([])
  expect(second.last_entry).toBe(entries[1]?.n)
  const { messages } = await replica.services.sessions.messages(user, second.session_id)
  expect(messages.map(({ role, content }) => [role, content])).toEqual([
    ['user', 'What is a moon?'],
    ['assistant', first.done.content],
  ])
  expect(await replica.services.sessions.get(user, second.session_id)).toMatchObject({ message_count: 2 })
  expect(await replica.services.runs.get(user, second.run_id)).toMatchObject({
    status: 'success',
    steps: [],
    usage: { tokens_in: 0, tokens_out: 0 },
  })
  expect((await replica.services.steps.list(user, { run_id: second.run_id, after: 0, limit: 50 })).steps).toEqual([])
  expect(await replica.services.runs.getTask(user, second.run_id)).toMatchObject({ state: 'success' })
  const events = async () =>
    (
      await asAdmin<{ subject: string; data: Record<string, unknown> }>(
        fixture.adminUrl,
        `select subject, data from outbox where data->>'session_id' = '${second.session_id}' order by position`,
      )
    ).map(({ subject, data }) => ({ ...data, kind: subject.replace('events.chat-agent.v1.', '') }))
  const told = { kind: 'answer.repeated', run_id: second.run_id, user_id: user }
  const both = messages.map(({ id, role }) => expect.objectContaining({ message_id: id, role }))
  expect(await events()).toEqual([
    { ...told, session_id: second.session_id, session: { model: null, enable_tools: false }, messages: both },
  ])
  // The session goes on from it, and that is another question.
  const next = await ask({ session_id: second.session_id, text_input: 'And a planet?' })
  expect([next.isCached, next.done.content]).toEqual([false, 'Heard 4: And a planet?'])
  const known = await ask({ session_id: first.session_id, text_input: 'And a planet?' })
  expect(known.isCached).toBe(true)
  const later = await asAdmin<{ data: object }>(
    fixture.adminUrl,
    `select data from outbox where data->>'run_id' = '${known.run_id}' order by position`,
  )
  expect(later.map(({ data }) => data)).toEqual([expect.not.objectContaining({ session: expect.anything() })])
})

test('of many who ask at the same time everyone gets what is theirs, and one who fails keeps nobody out', async () => {
  await using system = await withCache()
  const { replica } = system
  const people = Array.from({ length: 12 }, (_, n) => ({
    text_input: `What is moon ${n}?`,
    context: testUserContext(randomUUID()),
  }))
  const ask = ({ text_input, context }: (typeof people)[number], more: object = {}) =>
    answerTo(replica, { text_input, cache: true, ...more }, context)
  const known = people.filter((_, n) => n % 3 !== 0)
  for (const one of known) await ask(one)
  const taken = (await ask(known[0] ?? expect.fail())).run_id
  const before = system.model.asked()
  const [answers, twice] = await Promise.all([
    Promise.all([...people, ...people].map((one) => ask(one))),
    Promise.allSettled(
      people.map(({ context }) =>
        replica.services.startRun.start(
          { ...chat({ text_input: 'Twice', cache: true, enable_tools: false }), run_id: taken },
          context,
        ),
      ),
    ),
  ])
  expect(twice.every(({ status }) => status === 'rejected')).toBe(true)
  for (const [n, answer] of answers.entries()) {
    const one = people[n % people.length] ?? expect.fail()
    expect(answer.done.content).toBe(`Heard 2: ${one.text_input}`)
    if (known.includes(one)) expect(answer.isCached).toBe(true)
    const { messages } = await replica.services.sessions.messages(one.context.caller.user_id, answer.session_id)
    expect(messages.map(({ content }) => content)).toEqual([one.text_input, answer.done.content])
  }
  expect(new Set(answers.map(({ session_id }) => session_id)).size).toBe(answers.length)
  expect(system.model.asked()).toBeGreaterThanOrEqual(before + 4)
  const stored = await asAdmin<{ of: number; wrong: number }>(
    fixture.adminUrl,
    `select count(*)::int as of, count(*) filter (where r.user_id <> s.user_id or m.space_id <> s.space_id)::int as wrong
      from sessions s join runs r on r.session_id = s.id join messages m on m.run_id = r.id
      where s.id in (${answers.map(({ session_id }) => `'${session_id}'`).join()})`,
  )
  expect(stored).toEqual([{ of: 2 * answers.length, wrong: 0 }])
})

test('who does not want it, asks otherwise, or is somebody else gets an answer of their own', async () => {
  await using system = await withCache()
  const { ask, replica, user, model } = system
  const first = await ask({})
  const own = await answerTo(replica, { text_input: 'What is a moon?' }, testUserContext(user))
  expect(own.isCached).toBe(false)
  const others = [
    { text_input: 'What is a moon? ' },
    { instructions: 'Be short.' },
    { language: 'de' },
    { parameters: { temperature: 0.1 } },
    { parameters: { seed: 1 } },
    { parameters: { format: 'json' as const } },
    { parameters: { format: { type: 'object' } } },
    { max_iterations: 3 },
    { disable_web: true },
    { enable_tools: true },
    { messages: [{ role: 'assistant' as const, content: 'Hello' }] },
    { plain: true },
    { strategy: 'rag' as const },
    { show_thinking: true },
    { client_tools: [{ name: 'mine', description: '', parameters: { type: 'object' } }] },
  ]
  for (const other of others) {
    const input = { ...chat({ text_input: 'What is a moon?', cache: true, enable_tools: false, ...other }), ...other }
    const { run_id } = await replica.services.startRun.start(input, testUserContext(user))
    expect((await doneOf(replica, user, run_id)).metadata.cached, JSON.stringify(other)).toBeUndefined()
  }
  expect((await ask({}, testUserContext(randomUUID()))).isCached).toBe(false)
  const narrow = testUserContext(user, { caller: testCaller(user, { scopes: ['chat'] }) })
  expect((await ask({}, narrow)).isCached).toBe(false)
  const asked = model.asked()
  expect(asked).toBe(4 + others.length)
  const again = await ask({ parameters: {}, instructions: null, messages: undefined })
  expect([again.isCached, again.done.content, model.asked()]).toEqual([true, first.done.content, asked])
})

test('an answer is given for so long, and not once its session, its run or its user is erased', async () => {
  await using system = await withCache()
  const { ask, replica, user } = system
  const first = await ask({})
  expect((await ask({})).isCached).toBe(true)
  await replica.services.deletion.delete({ session_id: first.session_id, purge: true }, testUserContext(user))
  const anew = await ask({})
  expect([anew.isCached, (await ask({})).isCached]).toEqual([false, true])
  // Erasing one that was only given again takes nothing from the others.
  const given = await ask({})
  await replica.services.deletion.delete({ session_id: given.session_id, purge: true }, testUserContext(user))
  expect((await ask({})).isCached).toBe(true)
  const age = `update cached_answers set expires_at = now() where space_id = '${user}'`
  await asAdmin(fixture.adminUrl, age)
  expect((await ask({})).isCached).toBe(false)
  await asAdmin(fixture.adminUrl, age)
  await sweepAnswers(replica.services.uow)
  const count = () =>
    asAdmin<{ of: number }>(fixture.adminUrl, `select count(*)::int as of from cached_answers where space_id = '${user}'`)
  expect(await count()).toEqual([{ of: 0 }])
  await ask({})
  await replica.services.deletion.eraseUser(user, testUserContext(user))
  expect(await count()).toEqual([{ of: 0 }])
})

test('with a time of 0 none is kept', async () => {
  await using system = await withCache({ AGENT__CACHE_TTL_MS: '0' })
  expect([(await system.ask({})).isCached, (await system.ask({})).isCached]).toEqual([false, false])
})

test('of each user the newest hundred are kept', async () => {
  await using system = await withCache()
  const { ask, user } = system
  await ask({})
  await asAdmin(
    fixture.adminUrl,
    `insert into cached_answers select space_id, sha256(n::text::bytea), run_id, body, knowledge, made_at, expires_at + n * interval '1 s'
      from cached_answers, generate_series(1, 99) as n where space_id = '${user}'`,
  )
  const evictions = async () => (await metrics.cacheEvictions.get()).values.reduce((sum, { value }) => sum + value, 0)
  const before = await evictions()
  await ask({ text_input: 'What is a comet?' })
  const rows = await asAdmin(fixture.adminUrl, `select from cached_answers where space_id = '${user}'`)
  expect(rows).toHaveLength(100)
  expect(await evictions()).toBe(before + 1)
  // The oldest one made way.
  expect((await ask({ text_input: 'What is a comet?' })).isCached).toBe(true)
  expect((await ask({})).isCached).toBe(false)
})

test('many who ask the same at once all get the answer, and one is kept', async () => {
  await using system = await withCache()
  const { ask, user } = system
  const all = await Promise.all(Array.from({ length: 8 }, () => ask({})))
  expect(new Set(all.map(({ done }) => done.content))).toEqual(new Set(['Heard 2: What is a moon?']))
  expect(await asAdmin(fixture.adminUrl, `select from cached_answers where space_id = '${user}'`)).toHaveLength(1)
  const given = await Promise.all(Array.from({ length: 8 }, () => ask({})))
  expect(given.every(({ isCached }) => isCached)).toBe(true)
})

test('a repeated request is answered with the run that the first one started', async () => {
  await using system = await withCache()
  const { ask, user, model } = system
  await ask({})
  const context = testUserContext(user, { idempotencyKey: 'one' })
  const [first, second] = await Promise.all([ask({}, context), ask({}, context)])
  expect(first.isCached && second.run_id === first.run_id).toBe(true)
  const before = testUserContext(user, { idempotencyKey: 'two' })
  const made = await ask({ text_input: 'What is a comet?' }, before)
  expect((await ask({ text_input: 'What is a comet?' }, before)).run_id).toBe(made.run_id)
  await expect(ask({ text_input: 'Other' }, before)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' })
  expect(model.asked()).toBe(2)
})

test('an answer waits for nothing that is away, and for those before it in its session', async () => {
  const gate = Promise.withResolvers<void>()
  await using model = await startModel(says('One.'), says('Two.'), async ({ text, end }) => {
    await gate.promise
    text('Three.')
    end()
  })
  await using replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url })
  const context = testUserContext(randomUUID())
  const ask = (input: object) => answerTo(replica, { text_input: 'Say one.', cache: true, ...input }, context)
  const { session_id } = await ask({})
  await ask({ session_id })
  const slow = await replica.services.startRun.start(chat({ text_input: 'Slow', session_id, enable_tools: false }), context)
  const behind = await replica.services.startRun.start(
    chat({ text_input: 'Say one.', session_id, cache: true, enable_tools: false }),
    context,
  )
  expect((await entriesOf(replica, context.caller.user_id, behind.run_id)).at(-1)?.body.event).toBe('status')
  gate.resolve()
  await doneOf(replica, context.caller.user_id, slow.run_id)
  expect(textOf(await entriesOf(replica, context.caller.user_id, slow.run_id))).toBe('Three.')
  await doneOf(replica, context.caller.user_id, behind.run_id)
  await model.stop()
  expect((await ask({})).done).toMatchObject({ content: 'One.', metadata: { cached: true } })
})

test('what a foreign tool said is not kept', async () => {
  await using foreign = await startMcpServer()
  await using tools = await withCache({ MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' })
  // Offered and not called.
  await tools.ask({ enable_tools: true })
  expect((await tools.ask({ enable_tools: true })).isCached).toBe(true)
  await using calling = await startModel(({ line, text, end }, { messages }) => {
    const calls = [{ function: { name: 'echo', arguments: { text: 'x' } } }]
    if (messages.at(-1)?.role === 'user') line({ message: { role: 'assistant', content: '', tool_calls: calls }, done: false })
    else text('Echoed.')
    end()
  })
  await using replica = fixture.replica({
    LLM__OLLAMA_BASE_URL: calling.url,
    MCP__SERVER_URLS: `other=${foreign.url}`,
    MCP__ALLOWED_TOOLS: 'other/*',
  })
  const context = testUserContext(randomUUID())
  const ask = () => answerTo(replica, { text_input: 'Go', cache: true, enable_tools: true }, context)
  expect((await ask()).done.content).toBe('Echoed.')
  expect((await ask()).isCached).toBe(false)
  expect(foreign.calls).toHaveLength(2)
})

test('nothing of the question or the answer can be read or guessed from what is kept', async () => {
  await using system = await withCache()
  await system.ask({ text_input: 'heliotrope' })
  const rows = await asAdmin<{ all: string; key: Buffer }>(
    fixture.adminUrl,
    `select key, encode(body, 'escape') as all from cached_answers where space_id = '${system.user}'`,
  )
  expect(rows[0]?.all).not.toContain('heliotrope')
  await using other = await withCache()
  await other.ask({ text_input: 'heliotrope' })
  const keys = await asAdmin<{ key: Buffer }>(fixture.adminUrl, `select key from cached_answers`)
  expect(new Set(keys.map(({ key }) => key.toString('hex'))).size).toBe(keys.length)
})

test('a failure, an answer that was stopped or not finished, and one whose thoughts were shown are not kept', async () => {
  const held = Promise.withResolvers<void>()
  await using foreign = await startMcpServer()
  await using model = await startModel(
    refuses(400, 'no'),
    async ({ text, response }) => {
      text('Begun')
      held.resolve()
      await new Promise((resolve) => response.once('close', resolve))
    },
    ({ line, end }) => {
      const calls = [{ function: { name: 'echo', arguments: { text: 'x' } } }]
      line({ message: { role: 'assistant', content: 'Let me see.', tool_calls: calls }, done: false })
      end()
    },
    ({ line, text, end }) => {
      line({ message: { role: 'assistant', content: '', thinking: 'Hm.' }, done: false })
      text('Thought.')
      end()
    },
    says('Whole.'),
  )
  const env = { MCP__SERVER_URLS: `other=${foreign.url}`, MCP__ALLOWED_TOOLS: 'other/*' }
  await using replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, ...env })
  const context = testUserContext(randomUUID())
  const user = context.caller.user_id
  const input = { text_input: 'Go', cache: true, enable_tools: true, max_iterations: 1, show_thinking: true }
  const ask = async () => {
    const { done } = await answerTo(replica, input, context)
    return [done.metadata.status, done.metadata.cached === true]
  }
  expect(await ask()).toEqual(['error', false])
  const { run_id } = await replica.services.startRun.start(chat(input), context)
  await held.promise
  await replica.services.runs.stop(user, run_id)
  expect((await doneOf(replica, user, run_id)).metadata.status).toBe('stopped')
  expect(await ask()).toEqual(['max_iterations', false])
  expect(await ask()).toEqual(['success', false])
  expect(await ask()).toEqual(['success', false])
  expect(await ask()).toEqual(['success', true])
  expect(model.asked()).toBe(5)
})

test('a retry is answered anew and not kept; what is asked in its branch has the path of the branch', async () => {
  await using system = await withCache()
  const { ask, replica, user, model } = system
  const { startRun, sessions } = replica.services
  const first = await ask({})
  const { session_id } = await ask({})
  const asked = async (text_input: string) => (await ask({ session_id, text_input })).isCached
  expect([await asked('And a planet?'), model.asked()]).toEqual([false, 2])
  // Of the same words in another session the same follows.
  expect((await ask({ session_id: first.session_id, text_input: 'And a planet?' })).isCached).toBe(true)
  const [question, answer] = (await sessions.messages(user, session_id)).messages
  const retry = async (message_id = '', content?: string) => {
    const { run_id } = await startRun.retry({ session_id, message_id, content }, testUserContext(user))
    return doneOf(replica, user, run_id)
  }
  expect((await retry(answer?.id)).metadata).not.toHaveProperty('cached')
  expect(model.asked()).toBe(3)
  // The branch begins with the same words as the session of before.
  expect([await asked('And a planet?'), model.asked()]).toEqual([true, 3])
  await retry(question?.id, 'What is a comet?')
  expect(model.asked()).toBe(4)
  // The retry is not kept, and behind other words the same is another question.
  expect((await ask({ text_input: 'What is a comet?' })).isCached).toBe(false)
  expect([await asked('And a planet?'), await asked('And a planet?')]).toEqual([false, false])
})

test('instructions of a session are those of a request, a spoken question is a typed one, and images are told apart', async () => {
  await using system = await withCache()
  const { ask, replica, user, model } = system
  await ask({ instructions: 'Be short.' })
  const { id } = await replica.services.sessions.create({ instructions: 'Be short.' }, testUserContext(user))
  expect((await ask({ session_id: id })).isCached).toBe(true)
  await ask({})
  const start = async (more: object) => {
    const input = { ...chat({ text_input: 'What is a moon?', cache: true, enable_tools: false }), ...more }
    const { run_id } = await replica.services.startRun.start(input, testUserContext(user))
    return { run_id, done: await doneOf(replica, user, run_id) }
  }
  const spoken = await start({ voice: { digest: 'd', language: 'english', confidence: 0.9 } })
  expect(spoken.done).toMatchObject({ transcript: 'What is a moon?', metadata: { cached: true } })
  const [, , heard] = await entriesOf(replica, user, spoken.run_id)
  expect(heard?.body).toEqual({ event: 'transcript', data: { text: 'What is a moon?', language: 'english', confidence: 0.9 } })
  const before = model.asked()
  const visionModel = async (data: string) =>
    (await start({ images: [{ mime: 'image/png', data }] })).done.metadata.cached === true
  expect([await visionModel('AAAA'), await visionModel('AAAB'), await visionModel('AAAA')]).toEqual([false, false, true])
  expect(model.asked()).toBe(before + 2)
})

test('a session that begins with a kept answer is named by its first words until the model answers in it', async () => {
  await using system = await withCache({ AGENT__TITLES: 'model' })
  const { ask } = system
  await ask({})
  const { session_id } = await ask({})
  const titles = () => asAdmin(fixture.adminUrl, `select from jobs where kind = 'title' and payload::text like '%${session_id}%'`)
  expect(await titles()).toHaveLength(0)
  expect((await ask({ session_id })).isCached).toBe(false)
  expect(await titles()).toHaveLength(1)
})
