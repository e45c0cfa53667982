import { randomUUID } from 'node:crypto'
import { startModelServer } from '@youworker/test-kit/model-server'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, type Replica } from '../../test-fixture.ts'

const KEY = 'sk-canary-of-the-settings'
let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

const rows = () =>
  asAdmin<{ id: string; name: string; base_url: string; enabled: boolean; api_key: Buffer | null }>(
    fixture.adminUrl,
    'select id, name, base_url, enabled, api_key from chat_agent.model_backends order by name',
  )
const namesAndUrls = async () => (await rows()).map(({ name, base_url }) => [name, base_url])

async function ask(replica: Replica, model: string | null = null) {
  const user = randomUUID()
  const input = chat({ text_input: 'Hello?', enable_tools: false, model })
  const { run_id } = await replica.services.startRun.start(input, testUserContext(user))
  return (await doneOf(replica, user, run_id)).content
}

test('the servers of the settings are rows that follow them; their keys are sealed', async () => {
  const env = { LLM__OLLAMA_BASE_URL: 'http://127.0.0.1:1/', LLM__OPENAI_BASE_URL: 'http://127.0.0.1:2/v1' }
  const start = async (more: Record<string, string> = {}) => {
    await using replica = fixture.replica({ ...env, ...more }, { worker: false })
    await replica.services.modelBackends.read()
  }
  await start({ LLM__OPENAI_API_KEY: KEY })
  expect(await namesAndUrls()).toEqual([
    ['ollama', 'http://127.0.0.1:1'],
    ['openai', 'http://127.0.0.1:2/v1'],
  ])
  const [, openai] = await rows()
  expect(openai?.api_key?.toString('latin1')).not.toContain(KEY)
  await asAdmin(fixture.adminUrl, `update chat_agent.model_backends set enabled = false where name = 'openai'`)
  await start({ LLM__OPENAI_API_KEY: KEY })
  expect((await rows())[1]).toEqual({ ...openai, enabled: false })
  await start({ LLM__OPENAI_BASE_URL: 'http://127.0.0.1:3/v1' })
  expect((await rows())[1]).toMatchObject({ id: openai?.id, base_url: 'http://127.0.0.1:3/v1', enabled: false, api_key: null })
  await using without = fixture.replica({ LLM__OLLAMA_BASE_URL: 'http://127.0.0.1:1' }, { worker: false })
  await without.services.modelBackends.read()
  expect(await namesAndUrls()).toEqual([['ollama', 'http://127.0.0.1:1']])
})

test('a sealed key that was moved to another address is not sent there', async () => {
  await using right = await startModelServer({ protocol: 'openai', models: ['m'], answer: 'Right.', apiKey: KEY })
  await using other = await startModelServer({ protocol: 'openai', models: ['m'], answer: 'Other.' })
  await using replica = fixture.replica({ LLM__OPENAI_BASE_URL: right.url, LLM__OPENAI_API_KEY: KEY, LLM__CHAT_MODEL: 'm' })
  await replica.services.modelBackends.read()
  expect(await ask(replica)).toBe('Right.')
  await asAdmin(fixture.adminUrl, `update chat_agent.model_backends set base_url = '${other.url}' where name = 'openai'`)
  await replica.services.modelBackends.read()
  expect(await ask(replica)).toBe('Other.')
  expect(other.asked.map(({ authorization }) => authorization)).toEqual(other.asked.map(() => undefined))
})

test('without a database that can be read, the servers of the settings answer', async () => {
  await using server = await startModelServer({ protocol: 'openai', models: ['m'], answer: 'Here.' })
  await using replica = fixture.replica({ LLM__OPENAI_BASE_URL: server.url })
  await asAdmin(fixture.adminUrl, 'alter table chat_agent.model_backends rename to hidden')
  try {
    await expect(replica.services.modelBackends.read()).rejects.toThrow()
    expect(await ask(replica, 'm')).toBe('Here.')
  } finally {
    await asAdmin(fixture.adminUrl, 'alter table chat_agent.hidden rename to model_backends')
  }
})

test('a default that was used before is asked of another server while the first one is away', async () => {
  const options = { protocol: 'openai', models: ['m'] } as const
  await using first = await startModelServer({ ...options, answer: 'First.' })
  await using second = await startModelServer({ protocol: 'ollama', models: ['m', 'other'], answer: 'Second.' })
  await using replica = fixture.replica({ LLM__OPENAI_BASE_URL: first.url, LLM__OLLAMA_BASE_URL: second.url })
  await replica.services.modelBackends.read()
  await asAdmin(
    fixture.adminUrl,
    `update chat_agent.model_backends set enabled = true, priority = case name when 'openai' then 1 else 0 end`,
  )
  await replica.services.modelBackends.read()
  expect(await ask(replica)).toBe('First.')
  await first.stop()
  expect(await ask(replica)).toBe('Second.')
  expect(second.chats.map(({ body }) => body.model)).toEqual(['m'])
})

test('a model that is nowhere is not called away because one server is: who misspelt it is told', async () => {
  await using left = await startModelServer({ protocol: 'openai', models: ['m'], answer: 'Here.' })
  await using gone = await startModelServer({ protocol: 'ollama', models: ['m'], answer: 'Gone.' })
  await gone.stop()
  const env = { LLM__OPENAI_BASE_URL: left.url, LLM__OLLAMA_BASE_URL: gone.url, LLM__WAIT_MS: '0' }
  await using replica = fixture.replica(env)
  await replica.services.modelBackends.read()
  await asAdmin(fixture.adminUrl, `update chat_agent.model_backends set enabled = true, priority = 0`)
  await replica.services.modelBackends.read()
  const user = randomUUID()
  const { run_id } = await replica.services.startRun.start(chat({ text_input: 'Hi?', model: 'mm' }), testUserContext(user))
  const { metadata } = await doneOf(replica, user, run_id)
  expect(metadata).toMatchObject({
    status: 'error',
    error: expect.stringContaining('No model server that answers has this model'),
  })
  expect(await ask(replica, 'm')).toBe('Here.')
})

test('calls spread over equal servers by how busy they are', async () => {
  const gate = Promise.withResolvers<void>()
  const answer = async () => {
    await gate.promise
    return 'Done.'
  }
  await using left = await startModelServer({ protocol: 'ollama', models: ['m'], answer })
  await using right = await startModelServer({ protocol: 'openai', models: ['m'], answer })
  await using replica = fixture.replica({
    LLM__OLLAMA_BASE_URL: left.url,
    LLM__OPENAI_BASE_URL: right.url,
    LLM__OLLAMA_CONCURRENCY: '3',
    LLM__OPENAI_CONCURRENCY: '3',
  })
  await replica.services.modelBackends.read()
  await asAdmin(fixture.adminUrl, `update chat_agent.model_backends set enabled = true, priority = 0`)
  await replica.services.modelBackends.read()
  await replica.services.model.describe('m', AbortSignal.timeout(5_000))
  const runs = Array.from({ length: 6 }, () => ask(replica, 'm'))
  await expect.poll(() => [left.chats.length, right.chats.length], { timeout: 10_000 }).toEqual([3, 3])
  gate.resolve()
  expect(new Set(await Promise.all(runs))).toEqual(new Set(['Done.']))
})
