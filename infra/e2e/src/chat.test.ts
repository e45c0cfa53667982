import { startModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, type Person, readEvents, textOf } from './support/person.ts'

let system: TestSystem
let ada: Person

beforeAll(async () => {
  system = await startTestSystem({ tokensPerSecond: 40, env: { AGENT__TITLES: 'model' } })
  ada = await system.newPerson('ada')
  await ada.upload([
    {
      name: 'river.md',
      content: `# Rivers\n\nThe Danube flows through ten countries${', on and on'.repeat(20)}, and ends in the Black Sea.\n`,
    },
  ])
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

const QUESTION = 'Through how many countries does the Danube flow?'

test('without a stream the answer is one JSON body', async () => {
  const { status, body } = await ada.post('/v1/chat', { text_input: QUESTION, stream: false })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    run_id: expect.any(String),
    session_id: expect.any(String),
    content: expect.stringContaining('ten countries'),
    citations: [{ index: 1, title: 'Rivers' }],
    logs: [{ level: 'info' }],
    metadata: { status: 'success', tool_calls: 1, tokens_in: expect.any(Number), model: expect.any(String) },
  })
  expect(body.tool_events.map(({ status }: { status: string }) => status)).toEqual(['start', 'end'])
})

test('what the offline model wants known stands once in the log of the run, and not in the answer', async () => {
  const { events, done } = await ada.chat(QUESTION)
  const advice = { level: 'info', msg: expect.stringContaining('install Ollama') }
  expect(events.filter(({ event }) => event === 'log').map(({ data }) => data)).toEqual([advice])
  expect(done.logs).toEqual([advice])
  expect(done.content).not.toMatch(/ollama|offline/i)
})

test('simple-chat and unified-chat answer in the shapes of published clients', async () => {
  const simple = await ada.post('/v1/simple-chat', { message: QUESTION })
  expect(simple.body).toMatchObject({
    content: expect.stringContaining('ten countries'),
    session_id: expect.any(String),
    metadata: {},
    tool_events: expect.any(Array),
    logs: expect.any(Array),
  })
  const unified = await ada.post('/v1/unified-chat', { text_input: QUESTION, stream: false, session_id: simple.body.session_id })
  expect(unified.body).toMatchObject({
    content: expect.stringContaining('ten countries'),
    transcript: null,
    audio_b64: null,
    session_id: simple.body.session_id,
  })
})

test('without an audio server a recording is refused with the setting; an answer that should be spoken says why it is not', async () => {
  const audio = { audio_b64: 'AAAA', sample_rate: 16_000 }
  for (const path of ['/v1/unified-chat', '/v1/voice-turn']) {
    const answer = await ada.post(path, audio)
    expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([503, 'SERVICE_UNAVAILABLE', 'audio_b64'])
    expect(answer.body.error.message).toContain('AUDIO__BASE_URL')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  const note = { level: 'warning', msg: expect.stringContaining('AUDIO__BASE_URL') }
  const { events, done } = await ada.chat(QUESTION, { expect_audio: true })
  expect(events.filter(({ event }) => event === 'log').map(({ data }) => data)).toContainEqual(note)
  expect(done.logs).toContainEqual(note)
})

test('a session is stored, found by either id, renamed and erased', async () => {
  const { sessionId } = await ada.chat(QUESTION)
  await ada.chat('What time is it?', { session_id: sessionId })
  const detail = await ada.get(`/v1/sessions/${sessionId}`)
  expect(detail.body.session).toMatchObject({ id: sessionId, message_count: expect.any(Number) })
  const roles = detail.body.messages.map(({ role }: { role: string }) => role)
  expect(roles.filter((role: string) => role === 'user')).toHaveLength(2)
  expect(roles.at(-1)).toBe('assistant')
  expect(detail.body.messages[0].content).toBe(QUESTION)
  expect(detail.body.tool_events.length).toBeGreaterThan(0)
  expect((await ada.get(`/v1/sessions/${detail.body.session.external_id}`)).body.session.id).toBe(sessionId)
  expect((await ada.call('PATCH', `/v1/sessions/${sessionId}?title=Flüsse%20日本`)).body).toMatchObject({ title: 'Flüsse 日本' })
  expect((await ada.get('/v1/sessions')).body.sessions[0]).toMatchObject({ id: sessionId, title: 'Flüsse 日本' })
  expect((await ada.get('/v1/tool-runs')).body.runs[0]).toMatchObject({
    status: 'success',
    tool_name: expect.any(String),
    args: expect.any(Object),
  })
  const runsOf = async (id: string) => (await ada.get(`/v1/tool-runs?session_id=${id}`)).body
  const calls = detail.body.tool_events.filter(({ status }: { status: string }) => status === 'start')
  const ids = (runs: { id: string }[]) => runs.map(({ id }) => id).toSorted()
  const mine = await runsOf(sessionId)
  expect([mine.total, ids(mine.runs)]).toEqual([calls.length, calls.map(({ run_id }: { run_id: string }) => run_id).toSorted()])
  expect((await ada.get('/v1/tool-runs')).body.total).toBeGreaterThan(mine.total)
  expect(await runsOf('unknown')).toMatchObject(failure('SESSION_NOT_FOUND'))
  expect((await ada.call('DELETE', `/v1/sessions/${sessionId}`)).status).toBe(204)
  expect((await ada.get(`/v1/sessions/${sessionId}`)).body).toMatchObject(failure('SESSION_NOT_FOUND'))
})

test('a model of its own titles a session after its first answer, and not one that the user has named', async () => {
  const answer = async ({ body }: { readonly body: { messages: { content: string }[] } }) =>
    body.messages[0]?.content.startsWith('Write a title') === true ? '**The Danube**' : 'Through ten.'
  await using model = await startModelServer({ protocol: 'openai', models: ['titler'], answer })
  const backend = { name: 'titler', protocol: 'openai', base_url: model.url }
  const { id } = (await system.root.post('/v1/admin/models/backends', backend)).body
  const asked = { model: 'titler', enable_tools: false }
  const [auto, offline] = [await ada.chat(QUESTION, asked), await ada.chat(QUESTION)]
  const named = (await ada.post('/v1/sessions', { title: 'My rivers' })).body.external_id
  await ada.chat(QUESTION, { ...asked, session_id: named })
  const titleOf = async (session: string) => (await ada.get(`/v1/sessions/${session}`)).body.session.title
  expect(auto.done.metadata.session_title).toBe(QUESTION)
  await waitFor(async () => (await titleOf(auto.sessionId)) === 'The Danube', { what: 'the title of the model' })
  expect([await titleOf(offline.sessionId), await titleOf(named)]).toEqual([QUESTION, 'My rivers'])
  expect(model.chats).toHaveLength(3)
  await system.root.call('DELETE', `/v1/admin/models/backends/${id}`)
})

test('a client that was disconnected reads the rest, from any event', async () => {
  const started = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: QUESTION }),
  })
  const seen = []
  let runId = ''
  for await (const event of readEvents(started)) {
    seen.push(event)
    if (event.event === 'run') runId = event.data.run_id
    if (event.event === 'token') break
  }
  const last = seen.at(-1)?.id ?? 0
  const rest = await Array.fromAsync(
    readEvents(await ada.fetch(`/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(last) } })),
  )
  expect(rest[0]?.id).toBeGreaterThan(last)
  const done = rest.at(-1)
  expect(done?.event).toBe('done')
  expect(textOf([...seen, ...rest])).toBe(done?.data.content)

  const all = await Array.fromAsync(readEvents(await ada.fetch(`/v1/runs/${runId}/events`)))
  expect(all).toEqual([...seen, ...rest])
  const fromMiddle = await Array.fromAsync(readEvents(await ada.fetch(`/v1/runs/${runId}/events?after=${all.at(-2)?.id}`)))
  expect(fromMiddle.map(({ event }) => event)).toEqual(['done'])

  // 204 is what ends the reconnecting of a browser's EventSource.
  const again = await ada.fetch(`/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(all.at(-1)?.id) } })
  expect([again.status, await again.text()]).toEqual([204, ''])
})

test('stop ends the answer and keeps its text so far', async () => {
  const response = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: QUESTION }),
  })
  const events = []
  for await (const event of readEvents(response)) {
    events.push(event)
    const runId = events[0]?.data.run_id
    if (events.filter((seen) => seen.event === 'token').length === 2) await ada.post(`/v1/runs/${runId}/stop`)
  }
  const done = events.at(-1)?.data
  expect(done.metadata.status).toBe('stopped')
  expect(done.content).toBe(textOf(events))
  expect(done.content.length).toBeGreaterThan(0)
  const { body } = await ada.get(`/v1/sessions/${done.metadata.session_id}`)
  expect(body.messages.at(-1)).toMatchObject({ role: 'assistant', content: done.content })
  expect((await ada.get(`/v1/runs/${events[0]?.data.run_id}`)).body).toMatchObject({ status: 'cancelled' })
})

test('the messages of a session come page by page, oldest first', async () => {
  const { sessionId } = await ada.chat(QUESTION)
  await ada.chat('And in a month?', { session_id: sessionId })
  const whole = (await ada.get(`/v1/sessions/${sessionId}`)).body.messages
  const pages: unknown[][] = []
  let after = ''
  do {
    const { body } = await ada.get(`/v1/sessions/${sessionId}/messages?limit=3${after}`)
    pages.push(body.messages)
    after = body.next_after === undefined ? '' : `&after=${body.next_after}`
  } while (after !== '' && pages.length < 9)
  expect(pages.map((page) => page.length)).toEqual([3, 1])
  expect(pages.flat()).toEqual(whole)
  expect((await ada.get(`/v1/sessions/${sessionId}/messages?limit=0`)).status).toBe(400)
  const ben = await system.newPerson('ben')
  expect(await ben.get(`/v1/sessions/${sessionId}/messages`)).toMatchObject({ status: 404 })
})

test('the tasks of all services come page by page, each once and the newest first', async () => {
  const eva = await system.newPerson('eva')
  for (let n = 0; n < 3; n += 1) {
    await eva.upload([{ name: `note-${n}.md`, content: `# Note ${n}\n` }])
    await eva.post('/v1/chat', { text_input: QUESTION, stream: false })
  }
  const { body: whole } = await eva.get('/v1/tasks')
  expect(whole).toMatchObject({ total: 6, tasks: { length: 6 } })
  expect(whole).not.toHaveProperty('next_after')
  const found: unknown[] = []
  for (let after: string | undefined = ''; after !== undefined && found.length <= 6;) {
    const { body } = await eva.get(`/v1/tasks?limit=2${after}`)
    expect(body.tasks.length).toBeLessThanOrEqual(2)
    found.push(...body.tasks)
    after = body.next_after === undefined ? undefined : `&after=${body.next_after}`
  }
  expect(found).toEqual(whole.tasks)
  expect(await eva.get('/v1/tasks?after=nonsense')).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_ERROR' } } })
})

test('simultaneous messages of one session are answered one after another', async () => {
  const first = await ada.post('/v1/chat', { text_input: 'Hello there', stream: false })
  const session_id = first.body.session_id
  const answers = await Promise.all(
    ['one Danube?', 'two Danube?', 'three Danube?'].map((text) =>
      ada.post('/v1/chat', { text_input: text, session_id, stream: false }),
    ),
  )
  for (const { status, body } of answers) expect([status, body.metadata.status]).toEqual([200, 'success'])
  const { messages } = (await ada.get(`/v1/sessions/${session_id}`)).body
  const turns = messages.filter(({ role }: { role: string }) => role !== 'tool').map(({ role }: { role: string }) => role)
  expect(turns.filter((role: string) => role === 'user')).toHaveLength(4)
  expect(turns.filter((role: string) => role === 'assistant')).toHaveLength(4)
})

/** Asks, and resolves once the stream has an event of this name; `rest` is the end of the run. */
async function begin(sessionId: string, event: string) {
  const body = JSON.stringify({ text_input: QUESTION, session_id: sessionId })
  const headers = { 'content-type': 'application/json' }
  const events = readEvents(await ada.fetch('/v1/chat', { method: 'POST', headers, body }))
  for await (const one of { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) }) if (one.event === event) break
  const rest = Array.fromAsync(events).then((left) => left.find((one) => one.event === 'done')?.data as typeof DONE)
  return { rest }
}
const DONE = { content: '', metadata: { status: '' } }

test('a message to a session that is answering waits, is refused or takes over, as the session is set', async () => {
  const { external_id } = (await ada.post('/v1/sessions', { when_busy: 'reject' })).body
  const { session } = (await ada.get(`/v1/sessions/${external_id}`)).body
  expect(session).toMatchObject({ when_busy: 'reject' })
  const set = (when_busy: string) => ada.call('PATCH', `/v1/sessions/${session.id}`, { when_busy })
  const ask = () => ada.post('/v1/chat', { text_input: QUESTION, session_id: session.id, stream: false })

  const first = await begin(session.id, 'token')
  const refused = { status: 409, body: { error: { code: 'CONFLICT', message: expect.stringContaining('still answering') } } }
  expect(await ask()).toMatchObject(refused)
  expect(await first.rest).toMatchObject({ metadata: { status: 'success' } })
  expect((await ask()).body).toMatchObject({ metadata: { status: 'success' } })

  expect((await set('queue')).body).toMatchObject({ when_busy: 'queue' })
  const running = await begin(session.id, 'token')
  const waiting = await begin(session.id, 'status')
  expect((await set('interrupt')).status).toBe(200)
  const last = await ask()
  expect(last.body).toMatchObject({ content: expect.stringContaining('ten countries'), metadata: { status: 'success' } })
  expect(await running.rest).toMatchObject({ metadata: { status: 'stopped' } })
  expect(await waiting.rest).toMatchObject({ content: '', metadata: { status: 'stopped' } })
  expect(await set('nonsense')).toMatchObject({ status: 400 })

  const { messages } = (await ada.get(`/v1/sessions/${session.id}`)).body
  expect(messages.filter(({ role }: { role: string }) => role === 'user')).toHaveLength(5)
})

test('a repeat with the same idempotency key starts no second run', async () => {
  const ask = () => ada.post('/v1/chat', { text_input: QUESTION, stream: false }, { 'idempotency-key': 'chat-1' })
  const [first, second] = [await ask(), await ask()]
  expect(second.body.run_id).toBe(first.body.run_id)
  expect(second.body.content).toBe(first.body.content)
})

test('the overview counts documents, sessions, messages and tool calls', async () => {
  const overview = async () => (await ada.get('/v1/analytics/overview?days=7')).body
  await expect.poll(async () => (await overview()).documents?.total, { timeout: 30_000 }).toBe(1)
  const body = await overview()
  expect(body).toMatchObject({ period_days: 7, ingestion: { total_runs: 1 } })
  expect(body.sessions.total).toBeGreaterThan(0)
  expect(body.messages.total).toBeGreaterThan(body.sessions.total)
  expect(body.tools).toMatchObject({ success_rate: expect.any(Number), avg_latency_ms: expect.any(Number) })
})

test('every analytics route tells the same of the same events, and nothing of another user', async () => {
  const get = async (path: string, person = ada) => (await person.get(`/v1/analytics/${path}`)).body
  const { sessions, total } = (await ada.get('/v1/sessions')).body
  const stored = sessions.reduce((sum: number, { message_count }: { message_count: number }) => sum + message_count, 0)
  await expect.poll(async () => (await get('overview')).messages, { timeout: 30_000 }).toMatchObject({ total: stored })
  const [session] = sessions
  expect((await get(`sessions/${session.id}`)).tokens.message_count).toBe(session.message_count)
  const dashboard = await get('dashboard?days=7')
  const { overview, tokens_timeline, ingestion_stats, session_activity } = dashboard
  expect(tokens_timeline.data).toHaveLength(8)
  expect(tokens_timeline).toEqual(await get('tokens-timeline?days=7'))
  expect(dashboard.tool_performance).toEqual(await get('tool-performance?days=7'))
  expect(ingestion_stats).toEqual(await get('ingestion-stats?days=7'))
  expect(session_activity).toEqual(await get('session-activity?days=7'))
  expect(tokens_timeline.data.at(-1).total_tokens).toBe(overview.tokens.total)
  expect((await get('tokens?period=week')).total_tokens).toBe(overview.tokens.total)
  expect((await get('tool-timeline?days=7&interval=week')).data.at(-1).total_runs).toBe(overview.tools.total_runs)
  expect(ingestion_stats.by_collection).toMatchObject([{ collection: null, document_count: overview.documents.total }])
  expect(session_activity.timeline.at(-1).session_count).toBe(total)

  const stranger = await system.newPerson('no-chats')
  expect((await get('dashboard', stranger)).overview.sessions.total).toBe(0)
  expect(await get(`sessions/${session.id}`, stranger)).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
  for (const wrong of ['tokens?period=decade', 'tokens-timeline?interval=minute', 'dashboard?days=366', 'sessions/x'])
    expect(await get(wrong)).toMatchObject({ error: { code: 'VALIDATION_ERROR' } })
})
