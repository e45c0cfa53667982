import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { RawWebSocket } from './support/raw/raw-web-socket.ts'
import { clientOf } from './support/responses.ts'
import { type SessionMcpServer, startSessionMcpServer } from './support/raw/session-mcp-server.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const SLOW = Array.from({ length: 200 }, (_, n) => `${n}`).join(' ')
/** Without a stop it takes twenty seconds. */
const RULES = [
  { match: { contains: 'slow' }, reply: { text: SLOW, tokens_per_second: 20 } },
  { match: { contains: 'wait', last_role: 'user' }, reply: { text: 'Waiting. ', tool_calls: [{ name: 'wait' }] } },
  { match: { contains: 'hang' }, reply: { text: SLOW, stall_after: 0 } },
  { match: { contains: 'short' }, reply: { text: '0 1 2', tokens_per_second: 10 } },
  { reply: { text: 'Yes.' } },
]

const stack = new AsyncDisposableStack()
let patient: SessionMcpServer
let system: TestSystem
let ada: Person

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-stop-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: RULES }))
  patient = stack.use(await startSessionMcpServer())
  const env = {
    MCP__SERVER_URLS: `patient=${patient.url}`,
    MCP__ALLOWED_TOOLS: 'patient/*',
    LLM__OLLAMA_CONCURRENCY: '20',
    SECURITY__RATE_LIMITS: 'generous',
  }
  system = stack.use(await startTestSystem({ script, env }))
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => stack.disposeAsync())

const runOf = async (id: string) => (await ada.get(`/v1/runs/${id}`)).body
const later = { prefer: 'respond-async' }
/** Starts a run and leaves it alone. */
const begin = async (text_input: string, more: { enable_tools?: boolean; session_id?: string } = {}): Promise<Run> => {
  const { status, body } = await ada.post('/v1/chat', { text_input, stream: false, ...more }, later)
  expect(status).toBe(202)
  return body
}
const eventsOf = async (id: string) => (await (await ada.fetch(`/v1/runs/${id}/events?after=0`)).text()).split('\n')
const stepsOf = async (id: string) => (await ada.get(`/v1/runs/${id}/steps?include=content`)).body.steps
const hasTokens = (id: string) =>
  expect
    .poll(
      async () => {
        const response = await ada.fetch(`/v1/runs/${id}/events`)
        const reader = response.body?.getReader()
        const read = await reader?.read()
        const more = await reader?.read()
        await reader?.cancel()
        return `${new TextDecoder().decode(read?.value)}${new TextDecoder().decode(more?.value)}`
      },
      { timeout: 30_000 },
    )
    .toContain('event: token')

interface Run {
  readonly run_id: string
  readonly session_id: string
}
type Begin = typeof begin
type Stop = (run: Run) => Promise<unknown>
const beginResponse: Begin = async (input, more) => {
  const tool_choice = more?.enable_tools === false ? 'none' : 'auto'
  const response = await clientOf(ada).responses.create({ model: 'youworker', input, tool_choice, background: true })
  return { run_id: response.id.replace('resp_', ''), session_id: '' }
}
const byRest: Stop = ({ run_id }) => ada.post(`/v1/runs/${run_id}/stop`)
const byTask: Stop = ({ run_id }) => ada.post(`/v1/tasks/${run_id}/cancel`)
const byResponses: Stop = ({ run_id }) => clientOf(ada).responses.cancel(`resp_${run_id}`)
const bySocket: Stop = async ({ run_id, session_id }) => {
  const socket = await RawWebSocket.open(system.api, `/v1/ws/chat/${session_id}`, ada.key)
  socket.text({ type: 'stop', run_id })
  await expect.poll(async () => (await runOf(run_id)).status, { timeout: 30_000 }).toBe('cancelled')
  socket.destroy()
}
const WAYS: [string, Begin, Stop][] = [
  ['REST', begin, byRest],
  ['a task', begin, byTask],
  ['a response', beginResponse, byResponses],
  ['a WebSocket', begin, bySocket],
]

test.each(WAYS)('stopped by %s: a call of a tool, whose server is told', async (_, start, stop) => {
  const before = patient.begun.length
  const run = await start('wait')
  await expect.poll(() => patient.begun.length, { timeout: 30_000 }).toBe(before + 1)
  await stop(run)
  await expect.poll(async () => (await runOf(run.run_id)).status, { timeout: 30_000 }).toBe('cancelled')
  const call = patient.begun.at(-1)
  await expect.poll(() => patient.cancelled, { timeout: 30_000 }).toContain(call)
  expect(patient.begun).toHaveLength(before + 1)
  const { answer } = await runOf(run.run_id)
  expect(answer).toMatchObject({ content: 'Waiting. ', metadata: { status: 'stopped' } })
  expect((await stepsOf(run.run_id)).map(({ kind, status }: { kind: string; status: string }) => [kind, status])).toMatchObject([
    ['model', 'done'],
    ['tool', 'outcome_unknown'],
  ])
})

test.each(WAYS)('stopped by %s: a model in mid-answer, one that is silent, and a run that waits', async (_, start, stop) => {
  const speaking = await start('slow', { enable_tools: false })
  const silent = await start('hang', { enable_tools: false })
  await hasTokens(speaking.run_id)
  // A conversation of responses refuses what would wait.
  if (start === begin) {
    const waiting = await start('slow', { enable_tools: false, session_id: speaking.session_id })
    expect((await runOf(waiting.run_id)).status).toBe('pending')
    await stop(waiting)
    const ended = { status: 'cancelled', answer: { content: '', metadata: { status: 'stopped' } } }
    expect(await runOf(waiting.run_id)).toMatchObject(ended)
  }
  expect((await runOf(speaking.run_id)).status).toBe('running')
  for (const run of [silent, speaking]) {
    await stop(run)
    await expect.poll(async () => (await runOf(run.run_id)).status, { timeout: 30_000 }).toBe('cancelled')
  }
  const { answer } = await runOf(speaking.run_id)
  expect(answer.content.length).toBeGreaterThan(0)
  expect(SLOW.startsWith(answer.content) && answer.content.length < SLOW.length).toBe(true)
  // A stop that comes late, or twice, changes nothing.
  await stop(speaking)
  expect((await runOf(speaking.run_id)).answer).toEqual(answer)
  expect((await eventsOf(speaking.run_id)).filter((line) => line === 'event: done')).toHaveLength(1)
})

test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
  [
    'chat completions',
    async (signal) => {
      const messages = [{ role: 'user' as const, content: 'short' }]
      const body = { model: 'youworker', messages, stream: true } as const
      for await (const _ of await clientOf(ada).chat.completions.create(body, { signal })) return
    },
  ],
  [
    'responses',
    async (signal) => {
      for await (const _ of await clientOf(ada).responses.create(
        { model: 'youworker', input: 'short', stream: true },
        { signal },
      ))
        return
    },
  ],
  [
    'messages',
    async (signal) => {
      const client = new Anthropic({ baseURL: ada.api, apiKey: ada.key ?? '' })
      const messages = [{ role: 'user' as const, content: 'short' }]
      const body = { model: 'youworker', max_tokens: 100, messages, stream: true } as const
      for await (const _ of await client.messages.create(body, { signal })) return
    },
  ],
  [
    'chat',
    async (signal) => {
      const body = JSON.stringify({ text_input: 'short' })
      const headers = { 'content-type': 'application/json' }
      const response = await ada.fetch('/v1/chat', { method: 'POST', headers, body, signal })
      await response.body?.getReader().read()
    },
  ],
])('a client of %s that is gone does not stop its run', async (_, read) => {
  const newest = async () => (await ada.get('/v1/sessions?limit=1')).body.sessions[0]
  const before = (await newest())?.id
  const abort = new AbortController()
  await read(abort.signal)
  abort.abort()
  const session = await newest()
  expect(session.id).not.toBe(before)
  await expect
    .poll(async () => (await ada.get(`/v1/sessions/${session.id}`)).body.messages.at(-1), { timeout: 30_000 })
    .toMatchObject({ role: 'assistant', content: '0 1 2' })
})

test('nobody stops the run of another user, and one that has ended stays as it is', async () => {
  const eve = await system.newPerson('eve')
  const run = await begin('slow', { enable_tools: false })
  await hasTokens(run.run_id)
  for (const path of [`/v1/runs/${run.run_id}/stop`, `/v1/responses/resp_${run.run_id}/cancel`, `/v1/tasks/${run.run_id}/cancel`])
    expect((await eve.post(path)).status, path).toBe(404)
  expect((await runOf(run.run_id)).status).toBe('running')
  await byRest(run)
  await expect.poll(async () => (await runOf(run.run_id)).status, { timeout: 30_000 }).toBe('cancelled')
  expect(await byRest(run)).toMatchObject({ status: 200, body: { status: 'cancelled' } })

  const response = await beginResponse('short', { enable_tools: false })
  await expect.poll(async () => (await runOf(response.run_id)).status, { timeout: 30_000 }).toBe('success')
  expect(await byResponses(response)).toMatchObject({ status: 'completed', output: [{ content: [{ text: '0 1 2' }] }] })
})
