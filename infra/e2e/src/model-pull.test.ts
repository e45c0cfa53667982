import { once } from 'node:events'
import { startModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const BACKENDS = '/v1/admin/models/backends'
const PULL = '/v1/models/pull'
const SECRET = 'sk-canary-of-ollama-2b6d'
const GIB = 1024 ** 3
let system: TestSystem
let root: Person
let backend: string
const stack = new AsyncDisposableStack()
/** Let the pull of a model go on. */
const gates = new Map<string, PromiseWithResolvers<void>>()
const gone = new Set<string>()

beforeAll(async () => {
  const models = ['small']
  const server = stack.use(
    await startModelServer({
      protocol: 'ollama',
      models,
      answer: 'Here I am.',
      apiKey: SECRET,
      async *pull(model, signal) {
        yield { status: 'pulling manifest' }
        if (model === 'unknown') return yield { error: `pull model manifest: file does not exist (${SECRET})` }
        yield { status: 'pulling a1', digest: 'sha256:a1', total: 5 * GIB, completed: GIB }
        const gate = Promise.withResolvers<void>()
        gates.set(model, gate)
        await Promise.race([gate.promise, once(signal, 'abort')])
        if (signal.aborted) return void gone.add(model)
        yield { status: 'pulling a1', digest: 'sha256:a1', total: 5 * GIB, completed: 5 * GIB }
        yield { status: 'pulling b2', digest: 'sha256:b2', total: 100, completed: 100 }
        models.push(model)
        yield { status: 'success' }
      },
    }),
  )
  system = await startTestSystem()
  root = system.root
  const { body } = await root.post(BACKENDS, { name: 'gpu', protocol: 'ollama', base_url: server.url, api_key: SECRET })
  backend = body.id
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await stack.disposeAsync()
})

/** The events of a pull, as they come. */
async function pull(model: string, signal = new AbortController().signal) {
  const response = await root.fetch(PULL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, backend_id: backend }),
    signal,
  })
  let text = ''
  const ended = (async () => {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk
  })().catch(() => {})
  const events = () =>
    [...text.matchAll(/event: (\w+)\ndata: (.*)\n/g)].map(([, event, data]) => ({ event, data: JSON.parse(data ?? '') }))
  return { response, events, ended }
}

test('a model is got with its progress, once at a time, and answers', async () => {
  const first = await pull('big')
  await waitFor(() => first.events().some(({ data }) => data.completed === GIB), { what: 'progress' })
  expect((await root.post(PULL, { model: 'big', backend_id: backend })).body).toMatchObject(failure('CONFLICT'))
  gates.get('big')?.resolve()
  await first.ended
  const events = first.events()
  expect(events.slice(0, -1).map(({ event }) => event)).toEqual(events.slice(0, -1).map(() => 'progress'))
  expect(events.at(-1)).toMatchObject({
    event: 'done',
    data: { model: 'big', backend_id: backend, status: 'success', completed: 5 * GIB + 100, total: 5 * GIB + 100, error: null },
  })
  expect((await root.chat('Hello?', { model: 'big', enable_tools: false })).done.content).toBe('Here I am.')
})

test('a model that does not exist is an error that says what to do, without the key', async () => {
  const { events, ended } = await pull('unknown')
  await ended
  const { event, data } = events().at(-1) ?? {}
  expect([event, data.status]).toEqual(['done', 'failed'])
  expect(data.error).toMatch(/did not get the model.*file does not exist.*Look up its name/)
  expect(JSON.stringify(events())).not.toContain(SECRET)
  expect(system.logs()).not.toContain(SECRET)
})

test('when the client goes, Ollama stops, and the model can be pulled again', async () => {
  const leave = new AbortController()
  const { events } = await pull('left', leave.signal)
  await waitFor(() => events().some(({ data }) => data.completed === GIB), { what: 'progress' })
  leave.abort()
  await waitFor(() => gone.has('left'), { what: 'the end of the pull at Ollama' })
  const again = await pull('left')
  await waitFor(() => again.events().some(({ data }) => data.completed === GIB), { what: 'progress again' })
  gates.get('left')?.resolve()
  await again.ended
  expect(again.events().at(-1)?.data.status).toBe('success')
})

test('only root pulls, and only where that can be done', async () => {
  const ada = await system.newPerson('ada')
  expect((await ada.post(PULL, { model: 'big' })).body).toMatchObject(failure('NOT_AUTHORIZED'))
  const which = await root.post(PULL, { model: 'big' })
  expect(which.body).toMatchObject(failure('VALIDATION_ERROR'))
  expect(which.body.error.message).toContain(`${backend} (gpu)`)
  const { body } = await root.post(BACKENDS, { name: 'vllm', protocol: 'openai', base_url: 'http://127.0.0.1:1/v1' })
  expect((await root.post(PULL, { model: 'big', backend_id: body.id })).body).toMatchObject(failure('VALIDATION_ERROR'))
  const unknown = '01890000-0000-7000-8000-000000000000'
  expect((await root.post(PULL, { model: 'big', backend_id: unknown })).body).toMatchObject(failure('MODEL_BACKEND_NOT_FOUND'))
  const audited = async () =>
    (await root.get('/v1/admin/audit?target_type=model_pull')).body.entries.map(({ outcome }: { outcome: string }) => outcome)
  await expect.poll(audited, { timeout: 20_000 }).toEqual(expect.arrayContaining(['allowed', 'denied']))
})
