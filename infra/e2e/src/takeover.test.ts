import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TERMINAL } from '@youworker/contracts/common'
import OpenAI from 'openai'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { disturbedChat, type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'
import { type Person, readEvents, textOf } from './support/person.ts'

const QUESTION = 'In how many days does the Moon orbit the Earth?'
const THOUGHT = `Which greeting is right? ${Array.from({ length: 40 }, (_, n) => `At ${n} it is another one.`).join(' ')}`
const GREETING = 'Good day to you.'
let dir: string
let system: SpawnedSystem
/** The text must not repeat itself: where it breaks off after one repetition, a model that goes on looks like one that repeats the end. */
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
let root: Person
/** The answer of a run without a kill. */
let undisturbed: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker takeover '))
  const script = join(dir, 'script.json')
  const ponders = { match: { contains: 'Ponder' }, reply: { thinking: THOUGHT, text: GREETING, tokens_per_second: 100 } }
  await writeFile(script, JSON.stringify({ rules: [ponders] }))
  system = await spawnSystem(join(dir, 'the data'), ['--no-demo', '--replicas', 'chat-agent=2,gateway=2'], {
    env: {
      OFFLINE_MODEL__SCRIPT: script,
      OFFLINE_MODEL__TOKENS_PER_SECOND: '20',
      DATABASE__SLOW_QUERY_MS: '0',
      TRACES__PATH: join(dir, 'traces.jsonl'),
    },
  })
  root = system.root
  const content = `# Moon\n\nThe Moon orbits the Earth in about twenty-seven days, ${MONTHS.map((month) => `and it shows the same face in ${month}, `).join('')}always.\n`
  expect((await root.upload([{ name: 'moon.md', content }])).body.success).toBe(true)
  undisturbed = (await root.chat(QUESTION)).done.content
  expect(undisturbed).toContain('twenty-seven')
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('one correlation id is in the answer, the log of every service, events, the audit trail, spans and slow queries', async () => {
  const id = 'six.places-1'
  const traceId = randomBytes(16).toString('hex')
  const headers = {
    'x-correlation-id': id,
    traceparent: `00-${traceId}-${'1'.repeat(16)}-01`,
    'content-type': 'application/json',
  }
  const body = JSON.stringify({ text_input: QUESTION })
  const response = await root.fetch('/v1/chat', { method: 'POST', headers, body })
  const events = await Array.fromAsync(readEvents(response))
  const sessionId = events[0]?.data.session_id
  const deleted = await root.call('DELETE', `/v1/sessions/${sessionId}?purge=true`, undefined, headers)
  expect([deleted.status, deleted.headers.get('x-correlation-id'), response.headers.get('x-correlation-id')]).toEqual([
    204,
    id,
    id,
  ])

  const published = async () =>
    (
      await system.sql<{ subject: string }>(
        'select subject from chat_agent.outbox where correlation_id = $1 and published_at is not null',
        [id],
      )
    ).map(({ subject }) => subject.replace('events.chat-agent.v1.', ''))
  const caused = ['run.started', 'run.finished', 'tool-run.finished', 'message.created', 'session.deleted', 'audit.recorded']
  await waitFor(async () => (await published()).length >= caused.length, { what: 'the events' })
  expect(await published()).toEqual(expect.arrayContaining(caused))
  const audit = async () => (await root.get(`/v1/admin/audit?target_id=${sessionId}`)).body.entries
  await waitFor(async () => (await audit()).length > 0, { what: 'the audit entry' })
  expect(await audit()).toEqual([expect.objectContaining({ action: 'session.purge', correlation_id: id })])

  const touched = ['gateway', 'auth', 'chat-agent', 'tools', 'ingestion', 'analytics']
  const made = [
    'POST /v1/chat',
    'rpc.chat-agent.v1.run.start',
    'job run',
    'model chat',
    'mcp tools/call',
    'model embed',
    'INSERT',
  ]
  const spans = await waitFor(
    async () => {
      const found = (await readSpans(join(dir, 'traces.jsonl'))).filter((span) => span.traceId === traceId)
      const isWhole =
        touched.every((service) => found.some((span) => span.service === service)) &&
        made.every((name) => found.some((span) => span.name === name))
      return isWhole ? found : undefined
    },
    { what: `spans of every service (${touched.join(', ')}) with ${made.join(', ')}` },
  )
  expect(spans.filter(({ correlationId }) => correlationId === id).length).toBeGreaterThan(5)
  expect(JSON.stringify(spans)).not.toMatch(/Moon|twenty-seven/)

  const lines = await logLines()
  const mine = lines.filter(({ text }) => text.includes(`correlation_id=${id}`))
  for (const service of new Set(spans.map((span) => span.service)))
    expect(
      mine.filter((line) => line.service === service && line.text.includes(`trace_id=${traceId}`)),
      service,
    ).not.toEqual([])
  const requests = mine.filter(({ text }) => / INFO \S+: request /.test(text))
  const of = (part: string) => requests.filter(({ text }) => text.includes(` ${part} `))
  for (const part of [
    'route=/v1/chat',
    'route=/v1/sessions/{session_id}',
    'subject=rpc.chat-agent.v1.run.start',
    'subject=rpc.chat-agent.v1.session.delete',
  ])
    expect(of(part), part).toHaveLength(1)
  expect(mine.filter(({ text }) => text.includes(' WARNING chat-agent: slow query ')).length).toBeGreaterThan(0)
  expect(lines.map(({ text }) => text).join('\n')).not.toMatch(/Moon orbit/)
})

interface Span {
  readonly service: string
  readonly traceId: string
  readonly name: string
  readonly correlationId: string | undefined
}

/** Of OTLP JSON. */
async function readSpans(file: string): Promise<Span[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  return lines.flatMap((line) =>
    JSON.parse(line).resourceSpans.flatMap(
      ({ resource, scopeSpans }: { resource: Attributed; scopeSpans: { spans: SpanJson[] }[] }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map((span) => {
            const service = valueOf(resource, 'service.name') ?? ''
            return { ...span, service, correlationId: valueOf(span, 'youworker.correlation_id') }
          }),
        ),
    ),
  )
}

interface Attributed {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[]
}
interface SpanJson extends Attributed {
  readonly traceId: string
  readonly name: string
}
const valueOf = ({ attributes }: Attributed, name: string) => attributes.find(({ key }) => key === name)?.value.stringValue

async function logLines(): Promise<{ service: string; text: string }[]> {
  const logs = join(system.dataDir, 'logs')
  const files = (await readdir(logs)).filter((name) => name.endsWith('.log'))
  const read = files.map(async (name) => {
    const service = name.replace(/\.\d+\.log$/, '')
    return (await readFile(join(logs, name), 'utf8')).split('\n').map((text) => ({ service, text }))
  })
  return (await Promise.all(read)).flat()
}

test('/metrics/targets names the health port of every process, and each answers there', async () => {
  const { processes } = await system.endpoints()
  const services = processes.filter(({ name }) => /\.\d+$/.test(name))
  const wanted = services
    .map(({ name, health_url }) => `${name.replace(/\.\d+$/, '')} ${new URL(health_url ?? '').host}`)
    .toSorted()
  type Target = { targets: string[]; labels: { service: string } }
  const told = async () => (await root.get('/metrics/targets')).body as Target[]
  const found = (targets: Target[]) => targets.map(({ targets: [address], labels }) => `${labels.service} ${address}`).toSorted()
  expect(wanted.length).toBeGreaterThan(7)
  await waitFor(async () => found(await told()).length === wanted.length, { what: 'all targets' })
  expect(found(await told())).toEqual(wanted)
  for (const { targets } of await told())
    expect(await (await fetch(`http://${targets[0]}/metrics`)).text()).toContain('process_cpu_seconds_total')
})

test('kill -9 of the chat-agent in mid-answer: the same stream ends with the whole answer', async () => {
  const events = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async () => system.kill(await system.ownerOfTheRun()),
  })
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  const done = events.at(-1)
  expect(done?.data).toMatchObject({ content: undisturbed, metadata: { status: 'success' } })
  expect(done?.data.citations).toHaveLength(1)
  expect(textOf(events)).toBe(undisturbed)
  // The second chat-agent continued the text and did not start again.
  const rewind = events.find(({ event }) => event === 'rewind')
  expect(rewind?.data.offset).toBeGreaterThan(0)
  // The session contains the answer once.
  const { body } = await root.get(`/v1/sessions/${done?.data.metadata.session_id}`)
  const answers = body.messages.filter(
    ({ role, content }: { role: string; content: string }) => role === 'assistant' && content !== '',
  )
  expect(answers.map(({ content }: { content: string }) => content)).toEqual([undisturbed])
}, 120_000)

test("kill -9 of the chat-agent in mid-answer: OpenAI's client, which cannot take text back, gets the whole answer", async () => {
  const client = new OpenAI({ baseURL: `${root.api}/v1`, apiKey: root.key ?? '', maxRetries: 0 })
  const messages = [{ role: 'user', content: QUESTION } as const]
  const stream = await client.chat.completions.create({ model: 'youworker', messages, stream: true })
  const pieces: string[] = []
  for await (const { choices } of stream) {
    const { content } = choices[0]?.delta ?? {}
    if (content && pieces.push(content) === 3) await system.kill(await system.ownerOfTheRun())
  }
  expect(pieces.length).toBeGreaterThan(3)
  expect(pieces.join('')).toBe(undisturbed)
}, 120_000)

test('kill -9 of the agent and of the gateway in mid-answer: the events of a response are those of every later reading', async () => {
  const { responses } = new OpenAI({ baseURL: `${root.api}/v1`, apiKey: root.key ?? '' })
  const asked = { model: 'youworker', input: QUESTION, background: true } as const
  const events: OpenAI.Responses.ResponseStreamEvent[] = []
  const read = async () => {
    for await (const event of await responses.create({ ...asked, stream: true })) {
      events.push(event)
      const deltas = events.filter(({ type }) => type === 'response.output_text.delta').length
      if (event.type !== 'response.output_text.delta') continue
      if (deltas === 3) await system.kill(await system.ownerOfTheRun())
      if (deltas === 8) await system.kill(await system.gatewayOfTheStream())
    }
  }
  await expect(read()).rejects.toThrow()
  const created = events[0]
  const id = created?.type === 'response.created' ? created.response.id : ''
  const starting_after = events.at(-1)?.sequence_number ?? 0
  events.push(...(await Array.fromAsync(await responses.retrieve(id, { stream: true, starting_after }))))
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, n) => n))
  expect(await Array.fromAsync(await responses.retrieve(id, { stream: true }))).toEqual(events)
  expect((await responses.retrieve(id)).output_text).toBe(undisturbed)
  await waitFor(async () => (await root.get('/health/ready')).status === 200, { what: 'the killed gateway at its old address' })
}, 120_000)

test('kill -9 of the agent behind a search in files: the search is told once, with what it found, and nothing is searched again', async () => {
  const { responses } = new OpenAI({ baseURL: `${root.api}/v1`, apiKey: root.key ?? '' })
  const store = (await root.post('/v1/vector_stores', { name: 'Kept' })).body.id
  for (const { id } of (await root.get('/v1/documents')).body.documents)
    await root.post(`/v1/vector_stores/${store}/files`, { file_id: `file-${id}` })
  const events: OpenAI.Responses.ResponseStreamEvent[] = []
  const tools: OpenAI.Responses.FileSearchTool[] = [{ type: 'file_search', vector_store_ids: [store] }]
  const include: OpenAI.Responses.ResponseIncludable[] = ['file_search_call.results']
  for await (const event of await responses.create({ model: 'youworker', input: QUESTION, tools, include, stream: true })) {
    events.push(event)
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta').length
    if (event.type === 'response.output_text.delta' && deltas === 3) await system.kill(await system.ownerOfTheRun())
  }
  const end = events.at(-1)
  const response = end?.type === 'response.completed' ? end.response : undefined
  expect((await responses.retrieve(response?.id ?? '')).output_text).toBe(undisturbed)
  expect(response?.output.map(({ type }) => type)).toEqual(['file_search_call', 'message'])
  const [search] = response?.output ?? []
  expect(search?.type === 'file_search_call' && search.results?.length).toBeGreaterThan(0)
  expect(events.filter(({ type }) => type === 'response.file_search_call.completed')).toHaveLength(1)
  const id = response?.id ?? ''
  expect(await Array.fromAsync(await responses.retrieve(id, { stream: true }))).toEqual(events)
  const { body } = await root.get(`/v1/runs/${id.replace('resp_', '')}/steps`)
  expect(body.steps.filter(({ kind }: { kind: string }) => kind === 'tool')).toHaveLength(1)
}, 120_000)

test('kill -9 of the agent while the model thinks: what was thought stays, and the events are those of every later reading', async () => {
  const { responses } = new OpenAI({ baseURL: `${root.api}/v1`, apiKey: root.key ?? '' })
  const events: OpenAI.Responses.ResponseStreamEvent[] = []
  const asked = { model: 'youworker-offline', input: 'Ponder', reasoning: { effort: 'max' }, stream: true } as const
  for await (const event of await responses.create(asked)) {
    events.push(event)
    const deltas = events.filter(({ type }) => type === 'response.reasoning_summary_text.delta').length
    if (event.type === 'response.reasoning_summary_text.delta' && deltas === 5) await system.kill(await system.ownerOfTheRun())
  }
  const last = events.at(-1)
  const { id, output, session_id } = { id: '', output: [], session_id: '', ...(last && 'response' in last ? last.response : {}) }
  const texts = output.map((item) => {
    if (item.type === 'reasoning') return item.summary.map(({ text }) => text).join('')
    return item.type === 'message' && item.content[0]?.type === 'output_text' && item.content[0].text
  })
  expect([output.map(({ type }) => type), texts.slice(1)]).toEqual([
    ['reasoning', 'reasoning', 'message'],
    [THOUGHT, GREETING],
  ])
  expect([THOUGHT.startsWith(`${texts[0]}`), texts[0] !== THOUGHT, texts[0] !== '']).toEqual([true, true, true])
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, n) => n))
  for (const starting_after of [-1, 6, 20])
    expect(await Array.fromAsync(await responses.retrieve(id, { stream: true, starting_after }))).toEqual(
      events.slice(starting_after + 1),
    )
  expect((await responses.retrieve(id)).output).toEqual(output)
  const { messages } = (await root.get(`/v1/sessions/${session_id}?include=thinking`)).body
  expect(messages.at(-1)).toMatchObject({ content: GREETING, thinking: `${texts[0]}\n\n${THOUGHT}` })
}, 120_000)

test('kill -9 of the gateway in mid-answer: the reader continues and gets exactly the whole text', async () => {
  let runId = ''
  const before = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async (id) => {
      runId = id
      await system.kill(await system.gatewayOfTheStream())
    },
  })
  expect(before.some(({ event }) => event === 'done')).toBe(false)
  const lastId = before.at(-1)?.id
  const resume = () => root.fetch(`/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(lastId) } })
  // An idle connection to the killed gateway may be tried first.
  const response = await resume().catch(resume)
  expect(response.status).toBe(200)
  const after = await Array.fromAsync(readEvents(response))
  const all = [...before, ...after]
  expect(all.filter(({ event }) => event === 'done')).toHaveLength(1)
  const replay = await root.fetch(`/v1/runs/${runId}/events`)
  expect(all).toEqual(await Array.fromAsync(readEvents(replay)))
  expect([textOf(all), all.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  await waitFor(async () => (await root.get('/health/ready')).status === 200, { what: 'the killed gateway at its old address' })
}, 120_000)

test('kill -9 of Postgres in mid-answer: the run ends, and the system serves again', async () => {
  let runId = ''
  const events = await disturbedChat(root, QUESTION, {
    afterTokens: 3,
    disturb: async (id) => {
      runId = id
      await system.kill('postgres')
    },
  })
  const run = await waitFor(
    async () => {
      const { status, body } = await root.get(`/v1/runs/${runId}`)
      return status === 200 && TERMINAL.includes(body.status) && body
    },
    { what: 'the end of the run', timeoutMs: 60_000 },
  )
  expect(run.status).toBe('success')
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect([textOf(events), events.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
  // Until each circuit breaker has tried Postgres again, requests get 503 and chats answer without documents.
  await waitFor(async () => (await root.chat(QUESTION)).done.content === undisturbed, { what: 'an answer from the documents' })
}, 120_000)

test('kill -9 of ingestion in mid-run: the run finishes with each document once', async () => {
  const files = Array.from({ length: 200 }, (_, i) => ({
    name: `many/${i}.md`,
    content: `# Note ${i}\n\n${`Fact ${i} about subject ${i}. `.repeat(60)}`,
  }))
  const { status, body } = await root.upload(files, { wait: 'false' })
  expect(status).toBe(202)
  const run = async () => (await root.get(`/v1/ingestion-runs/${body.run_id}`)).body
  await waitFor(async () => (await run()).files.some((file: { stage: string }) => file.stage !== 'waiting'), {
    what: 'the first file',
  })
  await system.kill('ingestion.1')
  const left = await system.sql('select from ingestion.run_files where run_id = $1 and status <> $2', [body.run_id, 'success'])
  expect(left.length, 'the run was over before its worker died').toBeGreaterThan(0)
  const finished = await waitFor(async () => TERMINAL.includes((await run()).status) && (await run()), {
    what: 'the end of the run',
    timeoutMs: 100_000,
  })
  expect(finished.status).toBe('success')
  expect(finished.files.map((file: { status: string }) => file.status)).toEqual(files.map(() => 'success'))
  const documents = await root.get('/v1/documents?q=Note&limit=200')
  expect(documents.body.total).toBe(files.length)
  expect(new Set(documents.body.documents.map((document: { path: string }) => document.path)).size).toBe(files.length)
}, 180_000)

test('kill -9 of NATS and deletion of its store: no event is lost or counted twice', async () => {
  const overview = async () => (await root.get('/v1/analytics/overview')).body
  // The event of the run itself comes after those of its documents.
  const before = await waitFor(
    async () => {
      const body = await overview()
      return body.documents?.total === 201 && body.ingestion.total_runs === 2 && body
    },
    { what: '201 documents of two runs in the overview' },
  )

  // These events are in the stream and not read by analytics yet, so they are lost with the store.
  await system.kill('analytics.1', 'SIGSTOP')
  for (let i = 0; i < 3; i += 1) expect((await root.post('/v1/sessions', { title: `unread ${i}` })).status).toBe(200)
  await waitFor(async () => (await system.sql('select from chat_agent.outbox where stream_seq is null')).length === 0, {
    what: 'the outbox',
  })
  await system.kill('nats')
  await rm(join(system.dataDir, 'nats'), { recursive: true, force: true })
  await system.kill('analytics.1', 'SIGCONT')

  await waitFor(async () => (await root.get('/health/ready')).status === 200, { what: 'readiness' })
  await waitFor(async () => (await overview()).sessions?.total === before.sessions.total + 3, { what: 'the three sessions' })
  expect(await overview()).toMatchObject({ documents: before.documents, ingestion: before.ingestion, tools: before.tools })
  expect((await root.chat(QUESTION)).done.content).toBe(undisturbed)
  await waitFor(async () => (await overview()).sessions?.total === before.sessions.total + 4, { what: 'the session of the chat' })
}, 120_000)

test('kill -9 of NATS in mid-answer: the same stream has the whole text', async () => {
  const events = await disturbedChat(root, QUESTION, { afterTokens: 3, disturb: () => system.kill('nats') })
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect([textOf(events), events.at(-1)?.data.content]).toEqual([undisturbed, undisturbed])
}, 120_000)

test('no process ended except those that were killed', () => {
  expect(system.deaths()).toEqual(system.killed)
})
