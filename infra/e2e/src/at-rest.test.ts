import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SCHEMAS } from '@youworker/contracts/topology/topology'
import { recordingOf, startAudioServer, type TestAudioServer } from '@youworker/test-kit/audio-server'
import { startModelServer, type TestModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { canary, findIn, findInFolder } from './support/canaries.ts'
import { Person } from './support/person.ts'
import { type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'

/** Texts that must not be on the disk in clear. */
const SEALED = {
  'message text': canary('message'),
  'text of a message beyond ASCII': canary('unicode'),
  'question in other words': canary('reworded'),
  'session title': canary('title'),
  'renamed session title': canary('renamed'),
  'text that is in a file and in no passage of it': canary('comment'),
  'key of a repeated request’s body': canary('repeated'),
  'instructions of a session': canary('manner'),
  'instructions of a group': canary('crew'),
  'instructions of a response': canary('instructions'),
  'metadata of a response': canary('metadata'),
  'metadata of a conversation': canary('topic'),
  'metadata of a vector store': canary('shelf'),
  'description of a vector store': canary('described'),
  'attribute of a file': canary('attribute'),
  'filter of a file search': canary('narrowed'),
  'what was said': canary('said'),
  'part of an image': canary('image'),
  'part of an image of a response': canary('picture'),
  'query of a search': canary('search'),
  'filter of a list': canary('filter'),
  'body that is no JSON': canary('broken'),
  'wrong password': canary('password'),
}
/** Texts that are stored in clear, as the README says: titles, paths and passages of documents. */
const CLEAR = {
  'passage of a document': canary('passage'),
  'title of a document': canary('heading'),
  'path of a document': canary('path'),
}
const PASSWORD = `correct horse ${canary('battery')}`

let dir: string
let system: SpawnedSystem
let audio: TestAudioServer
let model: TestModelServer
let secrets: Record<string, string>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker at rest '))
  audio = await startAudioServer()
  model = await startModelServer({ protocol: 'openai', models: ['seer'], answer: 'I see.' })
  system = await spawnSystem(join(dir, 'data'), ['--no-demo', '--single-process'], {
    env: {
      AUDIO__BASE_URL: audio.url,
      OFFLINE_MODEL__TOKENS_PER_SECOND: '0',
      LOG_LEVEL: 'debug',
      TRACES__PATH: join(dir, 'data/logs/traces.jsonl'),
    },
  })
  secrets = await storeTexts(system)
  await waitFor(async () => (await system.sql('select from chat_agent.outbox where published_at is null')).length === 0, {
    what: 'the outbox',
  })
  await waitFor(async () => (await system.root.get('/v1/analytics/overview')).status === 200, { what: 'analytics' })
  await system.sql('checkpoint')
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await audio?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** Sends each text through the API where it is stored. Returns the credentials that were used. */
async function storeTexts({ root }: SpawnedSystem): Promise<Record<string, string>> {
  const made = await root.post('/v1/admin/users', { username: 'ada', password: PASSWORD })
  const ada = new Person(root.api, made.body.id, made.body.api_key)
  const html = `<html><head><title>${CLEAR['title of a document']}</title></head><body><!-- ${SEALED['text that is in a file and in no passage of it']} --><p>The vault word of the green library in the western tower is ${CLEAR['passage of a document']}.</p></body></html>`
  const upload = await ada.upload([{ name: `${CLEAR['path of a document']}.html`, content: html }])
  expect(upload.body.success, JSON.stringify(upload.body)).toBe(true)

  const told = {
    metadata: { about: SEALED['metadata of a vector store'] },
    description: SEALED['description of a vector store'],
  }
  const { id: store } = (await ada.post('/v1/vector_stores', { name: 'Vault', ...told })).body
  const attributes = { about: SEALED['attribute of a file'] }
  const file_id = `file-${upload.body.files[0].document_id}`
  const attached = await ada.post(`/v1/vector_stores/${store}/files`, { file_id, attributes })
  expect(attached.body).toMatchObject({ status: 'completed', attributes })
  const filters = { type: 'ne', key: 'about', value: SEALED['filter of a file search'] }
  const file_search = { type: 'file_search', vector_store_ids: [store], filters }
  const searching = { input: 'What is the vault word?', tools: [file_search], include: ['file_search_call.results'] }
  const searched = await ada.post('/v1/responses', searching)
  expect(JSON.stringify(searched.body.output)).toContain(SEALED['attribute of a file'])

  const question = `What is the vault word of the green library in the western tower? ${SEALED['message text']}`
  const { done, runId, sessionId } = await ada.chat(question, { cache: true })
  expect(done.content).toContain(CLEAR['passage of a document'])
  expect(done.citations).toHaveLength(1)
  // The question is also stored as the tool's argument, and the passage as its result.
  expect(JSON.stringify(done.tool_events)).toContain(SEALED['message text'])
  // So are what the model was asked and what it answered.
  const { steps } = (await ada.get(`/v1/runs/${runId}/steps?include=content`)).body
  expect(steps.map(({ kind, status }: { kind: string; status: string }) => [kind, status])).toEqual([
    ['model', 'done'],
    ['tool', 'done'],
    ['model', 'done'],
  ])
  expect(steps[0].content.prompt.at(-1)).toEqual({ role: 'user', content: question })
  expect(steps[2].content.response.content).toContain(CLEAR['passage of a document'])
  await ada.chat(`œuvre 日本 ${SEALED['text of a message beyond ASCII']} 🙂`, { session_id: sessionId })
  const [, , , last] = (await ada.get(`/v1/sessions/${sessionId}`)).body.messages
  const [asked] = (await ada.get(`/v1/sessions/${sessionId}/messages?limit=3`)).body.messages.slice(-1)
  const reworded = await ada.post(`/v1/sessions/${sessionId}/messages/${asked.id}/retry`, {
    content: SEALED['question in other words'],
    stream: false,
  })
  expect([last.role, reworded.status]).toEqual(['assistant', 200])
  await ada.call('PATCH', `/v1/sessions/${sessionId}`, { title: SEALED['renamed session title'] })
  const settings = { title: SEALED['session title'], instructions: SEALED['instructions of a session'] }
  const { external_id } = (await ada.post('/v1/sessions', settings, { 'idempotency-key': 'session' })).body
  expect((await ada.get(`/v1/sessions/${external_id}`)).body.session).toMatchObject(settings)
  // Before the group, which changes what can be found.
  expect((await ada.chat(question, { cache: true })).done).toMatchObject({ content: done.content, metadata: { cached: true } })
  const group = { name: 'Crew', instructions: SEALED['instructions of a group'] }
  const group_id = (await ada.post('/v1/groups', group, { 'idempotency-key': 'group' })).body.id
  expect((await ada.get(`/v1/groups/${group_id}`)).body).toMatchObject(group)
  await ada.chat('Hello', { group_id })
  const repeated = { text_input: SEALED['key of a repeated request’s body'], stream: false }
  for (let i = 0; i < 2; i += 1) await ada.post('/v1/chat', repeated, { 'idempotency-key': 'twice' })
  const instructions = SEALED['instructions of a response']
  const response = { input: 'Hello', instructions, metadata: { case: SEALED['metadata of a response'] } }
  const { id } = (await ada.post('/v1/responses', response)).body
  expect((await ada.get(`/v1/responses/${id}`)).body).toMatchObject({ instructions, metadata: response.metadata })
  const metadata = { topic: SEALED['metadata of a conversation'] }
  expect((await ada.post('/v1/conversations', { metadata })).body.metadata).toEqual(metadata)
  const spoken = recordingOf(SEALED['what was said']).toString('base64')
  const turn = await ada.post('/v1/voice-turn', { audio_b64: spoken, enable_tools: false })
  expect(turn.body.transcript).toBe(SEALED['what was said'])
  expect((await root.post('/v1/admin/models/backends', { name: 'sees', protocol: 'openai', base_url: model.url })).status).toBe(
    201,
  )
  const imageOf = (text: string) => Buffer.from(`\x89PNG\r\n\x1A\n${text}`, 'latin1').toString('base64')
  const image = { images_b64: [imageOf(SEALED['part of an image'])], model: 'seer', stream: false }
  expect((await ada.post('/v1/unified-chat', image)).body.content).toBe('I see.')
  const image_url = `data:image/png;base64,${imageOf(SEALED['part of an image of a response'])}`
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url }] }]
  expect((await ada.post('/v1/responses', { model: 'seer', input })).body.status).toBe('completed')
  await ada.post('/v1/search', { query: SEALED['query of a search'] })
  await ada.get(`/v1/documents?q=${SEALED['filter of a list']}`)
  const broken = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"text_input": ${SEALED['body that is no JSON']}`,
  })
  expect(broken.status).toBe(400)
  const wrong = await new Person(root.api, '').post('/v1/auth/login', { username: 'ada', password: SEALED['wrong password'] })
  expect(wrong.status).toBe(401)
  // The owner reads everything back unchanged.
  const { messages, session } = (await ada.get(`/v1/sessions/${sessionId}`)).body
  expect([messages[0].content, session.title]).toEqual([question, SEALED['renamed session title']])
  const content = await ada.fetch(`/v1/documents/${upload.body.files[0].document_id}/content`)
  expect(await content.text()).toBe(html)

  const browser = new Browser(root.api)
  const csrf = await browser.signIn('ada', PASSWORD)
  const bearer = await new Person(root.api, '').post('/v1/auth/login', { api_key: ada.key, token: true })
  await new Person(root.api, '').call('GET', '/v1/auth/me', undefined, { authorization: `Bearer ${bearer.body.access_token}` })
  return {
    'key of a user': ada.key ?? '',
    'root key': root.key ?? '',
    'session secret': browser.cookies.get('youworker_token') ?? '',
    'CSRF token': csrf,
    'access token': bearer.body.access_token,
    'signature of the access token': bearer.body.access_token.split('.')[2],
    password: PASSWORD,
  }
}

/** Searches all tables. Returns `schema.table.column: name` for each text found. */
async function findInTables(texts: Readonly<Record<string, string>>): Promise<string[]> {
  const tables = await system.sql<{ schema: string; name: string }>(
    'select schemaname as schema, tablename as name from pg_tables where schemaname = any($1)',
    [Object.values(SCHEMAS)],
  )
  expect(tables.length).toBeGreaterThan(40)
  const found = new Set<string>()
  for (const { schema, name } of tables) {
    for (const row of await system.sql(`select * from "${schema}"."${name}"`)) {
      for (const [column, value] of Object.entries(row)) {
        const bytes = Buffer.isBuffer(value)
          ? value
          : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value ?? null))
        for (const text of findIn(bytes, texts)) found.add(`${schema}.${name}.${column}: ${text}`)
      }
    }
  }
  return [...found].sort()
}

test('no sealed text is in any table, and clear texts are only in the columns that the README names', async () => {
  expect(await findInTables(SEALED)).toEqual([])
  expect(await findInTables(CLEAR)).toEqual([
    'ingestion.blobs.name: path of a document',
    'ingestion.chunks.text: passage of a document',
    'ingestion.documents.path: path of a document',
    'ingestion.documents.title: title of a document',
    'ingestion.documents.uri: path of a document',
    'ingestion.run_files.path: path of a document',
    'ingestion.run_files.title: title of a document',
    'ingestion.run_files.uri: path of a document',
  ])
})

test('no sealed text is in any file: Postgres, the NATS store, the index, the logs', async () => {
  expect(await findInFolder(system.dataDir, SEALED)).toEqual([])
  // Clear texts are found, so the search works.
  const folders = (await findInFolder(system.dataDir, CLEAR)).map((found) => found.split('/')[0])
  expect([...new Set(folders)].sort()).toEqual(['postgres'])
  const events = await findInFolder(join(system.dataDir, 'nats'), { event: 'events.chat-agent.v1.message.created' })
  expect(events.length).toBeGreaterThan(0)
})

test('no secret is in a log or in clear in a table', async () => {
  const made = JSON.parse(await readFile(join(system.dataDir, 'secrets.json'), 'utf8')) as Record<string, unknown>
  const own: Record<string, string> = { ...secrets }
  const add = (name: string, value: unknown) => {
    if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) add(`${name}.${key}`, inner)
    // One line of a PEM key is enough.
    else own[name] = String(value).split('\n').at(2) ?? String(value)
  }
  add('secrets.json', made)
  expect(Object.values(own).every((secret) => secret.length > 16)).toBe(true)
  expect(await findInFolder(join(system.dataDir, 'logs'), own)).toEqual([])
  expect(findIn(Buffer.from(system.started.output()), own)).toEqual([])
  expect(await findInTables(own)).toEqual([])
  expect(await findInFolder(join(system.dataDir, 'nats'), secrets)).toEqual([])
  // The logs are not empty, so the search above was real.
  expect(await findInFolder(join(system.dataDir, 'logs'), { line: ': request route=' })).toEqual(['youworker.1.log: line'])
  expect(await findInFolder(join(system.dataDir, 'logs'), { span: '"name":"POST /v1/chat"' })).toEqual(['traces.jsonl: span'])
})
