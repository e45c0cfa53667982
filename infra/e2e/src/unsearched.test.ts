import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

/** What a model that is sure of itself says, whatever became of its search. */
const SURE = 'The harvest was forty-two tons.'
const UNSEARCHED = /documents could not be searched/
const call = { name: 'knowledge_search', arguments: { query: 'harvest' } }
const RULES = [
  { match: { contains: 'Observation:' }, reply: { text: `Final Answer: ${SURE}` } },
  {
    match: { contains: 'by react', last_role: 'user' },
    reply: { text: `Action: ${call.name}\nAction Input: ${JSON.stringify(call.arguments)}` },
  },
  { match: { contains: 'by tools', last_role: 'user' }, reply: { tool_calls: [call] } },
  { match: { contains: 'as JSON', last_role: 'user' }, reply: { tool_calls: [call] } },
  { match: { contains: 'as JSON' }, reply: { text: '{"tons":42}' } },
  { match: { contains: 'harvest' }, reply: { text: SURE } },
]
const STRATEGIES = ['tools', 'react', 'rag'] as const

let dir: string
let system: TestSystem
let ada: Person
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-unsearched-'))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: RULES }))
  const env = { AGENT__TOOL_WAIT_MS: '500', SECURITY__RATE_LIMITS: 'off', LLM__OLLAMA_CONCURRENCY: '20' }
  system = await startTestSystem({ script, env })
  ada = await system.newPerson('ada')
  await ada.upload([{ name: 'harvest.md', content: '# Harvest\n\nThe harvest was seven tons.\n' }])
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

type Strategy = (typeof STRATEGIES)[number]
const textOfStream = async (path: string, body: object, text: RegExp) => {
  const headers = { 'content-type': 'application/json' }
  const answer = await (
    await ada.fetch(path, { method: 'POST', headers, body: JSON.stringify({ ...body, stream: true }) })
  ).text()
  return [...answer.matchAll(text)].map(([, part = '']) => JSON.parse(`"${part}"`)).join('')
}
/** The text of an answer, by each protocol, whole and streamed. */
const PROTOCOLS: Readonly<Record<string, (question: string, strategy: Strategy) => Promise<string>>> = {
  chat: async (text_input, strategy) => (await ada.post('/v1/chat', { text_input, strategy, stream: false })).body.content,
  'chat, streamed': (text_input, strategy) =>
    textOfStream('/v1/chat', { text_input, strategy }, /event: token\ndata: {"text":"(.*)"}/g),
  completions: async (content, strategy) => {
    const body = { model: 'youworker', strategy, messages: [{ role: 'user', content }] }
    return (await ada.post('/v1/chat/completions', body)).body.choices[0].message.content
  },
  'completions, streamed': (content, strategy) => {
    const body = { model: 'youworker', strategy, messages: [{ role: 'user', content }] }
    return textOfStream('/v1/chat/completions', body, /"delta":{"content":"(.*?)"}/g)
  },
  responses: async (input, strategy) => (await ada.post('/v1/responses', { input, strategy })).body.output[0].content[0].text,
  'responses, streamed': (input, strategy) =>
    textOfStream(
      '/v1/responses',
      { input, strategy },
      /event: response\.output_text\.delta\ndata: .*"delta":"(.*?)","logprobs"/g,
    ),
  messages: async (content, strategy) => {
    const body = { model: 'youworker', max_tokens: 500, strategy, messages: [{ role: 'user', content }] }
    return (await ada.post('/v1/messages', body)).body.content[0].text
  },
  'messages, streamed': (content, strategy) => {
    const body = { model: 'youworker', max_tokens: 500, strategy, messages: [{ role: 'user', content }] }
    return textOfStream('/v1/messages', body, /{"type":"text_delta","text":"(.*?)"}/g)
  },
}

const answers = () =>
  Promise.all(
    STRATEGIES.flatMap((strategy) =>
      Object.entries(PROTOCOLS).map(async ([protocol, ask]) => {
        const text = await ask(`What was the harvest, by ${strategy}?`, strategy)
        return { of: `${strategy} by ${protocol}`, text }
      }),
    ),
  )

async function expectUnsearched() {
  for (const { of, text } of await answers()) {
    expect(text, of).toContain(SURE)
    expect(text, of).toMatch(UNSEARCHED)
  }
  // Nothing may be written under JSON: there is none.
  const response_format = { type: 'json_object' }
  const messages = [{ role: 'user', content: 'What was the harvest, as JSON?' }]
  const formed = await ada.post('/v1/chat/completions', { model: 'youworker', messages, response_format, strategy: 'tools' })
  expect([formed.status >= 500, formed.body.error.message]).toEqual([true, expect.stringMatching(UNSEARCHED)])
}

test('with the search in its place nothing is written under an answer', async () => {
  for (const { of, text } of await answers()) expect(text, of).toBe(SURE)
}, 120_000)

test('without ingestion every answer says that the documents could not be searched, by each strategy and protocol', async () => {
  await system.running.services.ingestion.stop()
  await expectUnsearched()
  await system.running.services.ingestion.start()
}, 120_000)

test('so it does without the tool server', async () => {
  await system.running.services.tools.stop()
  await expectUnsearched()
  await system.running.services.tools.start()
}, 120_000)

test('so it does when the search responds with an error: the tables of the documents cannot be read', async () => {
  const database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  await database.query('begin; lock table ingestion.chunks, ingestion.documents in access exclusive mode')
  try {
    await expectUnsearched()
  } finally {
    await database.end()
  }
}, 180_000)

test('without the group service one’s own documents are searched, and the answer says that those of groups were not', async () => {
  await system.running.services.group.stop()
  // Which groups somebody is in is known for some seconds.
  const ask = async () => (await ada.post('/v1/chat', { text_input: 'What was the harvest, by tools?', stream: false })).body
  await expect
    .poll(async () => (await ask()).content, { timeout: 30_000, interval: 500 })
    .toMatch(/documents of your groups could not be searched/)
  expect(await ask()).toMatchObject({ content: expect.stringContaining(SURE), metadata: { status: 'partial' } })
  const searched = (await ada.post('/v1/search', { query: 'harvest' })).body
  expect(searched).toMatchObject({ incomplete: ['groups'], results: [{ title: 'Harvest' }] })
  await system.running.services.group.start()
  await expect.poll(async () => (await ask()).content, { timeout: 30_000 }).toBe(SURE)
  expect((await ada.post('/v1/search', { query: 'harvest' })).body.incomplete).toBeUndefined()
}, 120_000)
