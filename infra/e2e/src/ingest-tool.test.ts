import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startWebSite, type TestSite } from '@youworker/test-kit/web-site'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const stack = new AsyncDisposableStack()
let site: TestSite
let system: TestSystem
let careful: TestSystem
let ada: Person

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-ingest-tool-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  site = stack.use(await startWebSite({ '/fees': '<h1>Fees</h1><p>A berth costs 40 crowns a night.</p>' }))
  const calls: Record<string, object> = {
    'keep the page': { name: 'add_url', arguments: { url: `${site.origin}/fees`, tags: ['harbour'] } },
    'keep a secret page': { name: 'add_url', arguments: { url: 'http://127.0.0.1:1/inside' } },
    'keep a path': { name: 'add_url', arguments: { url: 'file:///etc/passwd' } },
    'keep the note': { name: 'add_text', arguments: { title: 'Tides/../of May', text: 'The neap tide is on the ninth.' } },
    'keep nothing': { name: 'add_text', arguments: { title: 'Empty', text: '' } },
  }
  const rules = Object.entries(calls).map(([contains, call]) => ({
    match: { contains, last_role: 'user' },
    reply: { text: '', tool_calls: [call] },
  }))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: [...rules, { reply: { text: 'Done.' } }] }))
  const env = { FETCH__ALLOW: `127.0.0.1:${site.port}`, SECURITY__RATE_LIMITS: 'generous' }
  system = stack.use(await startTestSystem({ script, env: { ...env, MCP__ALLOWED_TOOLS: 'ingest/*' } }))
  careful = stack.use(await startTestSystem({ script, env }))
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => stack.disposeAsync())

const documentsOf = async (person: Person) => (await person.get('/v1/documents')).body.documents
/** What the tool answered, and the id of its tool run. */
async function call(person: Person, text: string): Promise<{ said: string; id: string }> {
  const { events } = await person.chat(text)
  const ended = events.find(({ event, data }) => event === 'tool' && data.status !== 'start')
  return { said: ended?.data.result_preview, id: ended?.data.run_id }
}
const told = async (person: Person, text: string) => (await call(person, text)).said

test('the agent adds a page and a text for the user, and a search finds them at once', async () => {
  expect(await told(ada, 'keep the page')).toContain('was added: 1 passage can')
  const note = await call(ada, 'keep the note')
  expect(note.said).toContain('was added: 1 passage can')
  const { body } = await ada.post('/v1/search', { query: 'What does a berth cost? When is the neap tide?' })
  expect(body.results.map(({ title }: { title: string }) => title).toSorted()).toEqual(['Fees', 'Tides/../of May'])
  expect(await documentsOf(ada)).toMatchObject([
    { uri: `upload://notes/Tides%20..%20of%20May%20${note.id.slice(-12)}.md`, source: 'upload' },
    { uri: `${site.origin}/fees`, source: 'web', tags: ['harbour'] },
  ])
  const ben = await system.newPerson('ben')
  expect(await documentsOf(ben)).toEqual([])
})

test('what may not be fetched or is empty is refused with the reason, and adds nothing', async () => {
  const before = await documentsOf(ada)
  expect(await told(ada, 'keep a secret page')).toMatch(/could not|may not|not allowed|public/i)
  expect(await told(ada, 'keep a path')).toContain('url')
  expect(await told(ada, 'keep nothing')).toContain('text')
  expect(await documentsOf(ada)).toEqual(before)
})

test('an account of root may not have its agent read the files of the server', async () => {
  expect(await told(system.root, 'keep a path')).toContain('url')
})

test('a key that may only chat adds nothing through the agent', async () => {
  const { body } = await ada.post('/v1/account/api-keys', { name: 'chat', scopes: ['chat'] })
  const limited = new Person(ada.api, ada.id, body.api_key)
  expect(await told(limited, 'keep the note')).toContain('limited')
  expect(await documentsOf(ada)).toHaveLength(2)
})

test('runs are not offered what adds documents unless MCP__ALLOWED_TOOLS names it', async () => {
  const eve = await careful.newPerson('eve')
  expect(await told(eve, 'keep the note')).toContain('There is no tool named add_text')
  expect(await documentsOf(eve)).toEqual([])
})
