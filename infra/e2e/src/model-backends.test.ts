import Anthropic from '@anthropic-ai/sdk'
import { startModelServer, type TestModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, type Answer, type Person, readEvents, textOf } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const BACKENDS = '/v1/admin/models/backends'
const KEY = 'sk-canary-7f3e9b1c5d'
const UNKNOWN = '01890000-0000-7000-8000-000000000000'
let system: TestSystem
let root: Person
let ada: Person
let bob: Person
let answers = ''
let stack = new AsyncDisposableStack()

beforeAll(async () => {
  system = await startTestSystem()
  root = system.root
  ;[ada, bob] = [await system.newPerson('ada'), await system.newPerson('bob')]
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())
afterEach(async () => {
  const { body } = await root.get(BACKENDS)
  for (const { id, source } of body.backends) if (source === 'admin') await root.call('DELETE', `${BACKENDS}/${id}`)
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

const keep = (answer: Answer): Answer => {
  answers += JSON.stringify(answer.body)
  return answer
}
const serve = async (...options: Parameters<typeof startModelServer>) => stack.use(await startModelServer(...options))
const add = async (name: string, protocol: string, { url: base_url }: TestModelServer, more: object = {}) =>
  keep(await root.post(BACKENDS, { name, protocol, base_url, ...more }))
const patch = async (id: string, changes: object) => keep(await root.call('PATCH', `${BACKENDS}/${id}`, changes))
const untilLoad = async (wanted: string, load: { running: number; waiting: number }) => {
  const health = async () =>
    (await root.get(BACKENDS)).body.backends.find(({ name }: { name: string }) => name === wanted)?.health
  await expect.poll(health, { timeout: 60_000 }).toMatchObject(load)
}
const ask = async (model: string, who = ada) => (await who.chat('Hello?', { model, enable_tools: false })).done.content

test('root adds a server, with its health; its key is never shown', async () => {
  const server = await serve({ protocol: 'openai', models: ['alpha', 'beta'], answer: 'Alpha says so.', apiKey: KEY })
  const made = await add('gpu-1', 'openai', server, { api_key: KEY, concurrency: 8 })
  expect(made.status).toBe(201)
  expect(made.body).toEqual({
    id: expect.any(String),
    name: 'gpu-1',
    protocol: 'openai',
    base_url: server.url,
    has_api_key: true,
    enabled: true,
    concurrency: 8,
    priority: 0,
    source: 'admin',
    created_at: expect.any(String),
    updated_at: expect.any(String),
    health: { status: 'up', since: expect.any(String), error: null, models: ['alpha', 'beta'], running: 0, waiting: 0 },
  })
  expect(await ask('beta')).toBe('Alpha says so.')
  expect(server.chats[0]).toMatchObject({ authorization: `Bearer ${KEY}`, body: { model: 'beta' } })
  expect(keep(await root.get(`${BACKENDS}/${made.body.id}`)).body).toMatchObject({ name: 'gpu-1', has_api_key: true })
  const models = (await ada.get('/v1/models')).body.data.map(({ id }: { id: string }) => id)
  expect(models).toEqual(['youworker', 'youworker-offline', 'alpha', 'beta'])
})

test('nobody but root sees or changes them, and every attempt is in the audit trail', async () => {
  const server = await serve({ protocol: 'ollama', models: ['m'], answer: 'Yes.' })
  const { body } = await add('small', 'ollama', server)
  const one = `${BACKENDS}/${body.id}`
  const attempts = [
    ada.get(BACKENDS),
    ada.get(one),
    ada.post(BACKENDS, { name: 'mine', protocol: 'ollama', base_url: server.url }),
    ada.call('PATCH', one, { enabled: false }),
    ada.call('DELETE', one),
  ]
  for (const answer of await Promise.all(attempts)) expect(answer.body).toMatchObject(failure('NOT_AUTHORIZED'))
  const actions = async (outcome: string) =>
    (await root.get(`/v1/admin/audit?target_type=model_backend&outcome=${outcome}`)).body.entries.map(
      ({ action }: { action: string }) => action,
    )
  const denied = ['list', 'get', 'create', 'update', 'delete'].map((what) => `model-backend.${what}`)
  await expect.poll(() => actions('denied'), { timeout: 20_000 }).toEqual(expect.arrayContaining(denied))
  await expect.poll(() => actions('allowed'), { timeout: 20_000 }).toContain('model-backend.create')
})

test('of two servers with a model, the one that answers answers; a list misses only what is away', async () => {
  const left = await serve({ protocol: 'ollama', models: ['shared', 'left'], answer: 'From the left.' })
  const right = await serve({ protocol: 'openai', models: ['shared', 'right'], answer: 'From the right.' })
  await add('left', 'ollama', left, { priority: 1 })
  await add('right', 'openai', right)
  expect(await ask('shared')).toBe('From the left.')
  await left.stop()
  // What it had is known; the call itself finds that nobody is there.
  expect(await ask('shared')).toBe('From the right.')
  const listed = async () => (await ada.get('/v1/models')).body.data.map(({ id }: { id: string }) => id)
  expect(await listed()).toEqual(['youworker', 'youworker-offline', 'shared', 'right'])
  const { body } = await root.get(BACKENDS)
  const health = Object.fromEntries(
    body.backends.map((backend: { name: string; health: { status: string } }) => [backend.name, backend.health.status]),
  )
  expect(health).toEqual({ ollama: 'up', left: 'down', right: 'up' })
  await left.start()
  await waitFor(async () => (await ask('shared')) === 'From the left.', { what: 'the server that is back', timeoutMs: 30_000 })
  left.hang()
  expect(await listed()).toEqual(['youworker', 'youworker-offline', 'shared', 'right'])
})

test('a server that breaks before its first word is passed over', async () => {
  const broken = await serve({ protocol: 'openai', models: ['m'], answer: () => Promise.reject(new Error('out of memory')) })
  const whole = await serve({ protocol: 'openai', models: ['m'], answer: 'Whole.' })
  await add('broken', 'openai', broken, { priority: 1 })
  await add('whole', 'openai', whole)
  expect(await ask('m')).toBe('Whole.')
  expect([broken.chats.length, whole.chats.length]).toEqual([1, 1])
})

test('the next run uses what was changed; a key stays with the server that it was given for', async () => {
  const first = await serve({ protocol: 'openai', models: ['m'], answer: 'One.', apiKey: KEY })
  const second = await serve({ protocol: 'openai', models: ['m'], answer: 'Two.' })
  const { body } = await add('gpu', 'openai', first, { api_key: KEY })
  expect(await ask('m')).toBe('One.')
  const refused = await patch(body.id, { base_url: second.url })
  expect(refused.body).toMatchObject(failure('VALIDATION_ERROR'))
  expect(refused.body.error.param).toBe('api_key')
  expect((await patch(body.id, { base_url: `${first.url}/` })).body).toMatchObject({ has_api_key: true, base_url: first.url })
  expect((await patch(body.id, { base_url: second.url, api_key: null })).body).toMatchObject({ has_api_key: false })
  expect(await ask('m')).toBe('Two.')
  expect(JSON.stringify(second.asked)).not.toContain(KEY)
  await patch(body.id, { enabled: false })
  const gone = await ada.post('/v1/chat', { text_input: 'Hello?', model: 'm', enable_tools: false })
  expect(gone).toMatchObject({ status: 404, body: failure('MODEL_NOT_FOUND') })
})

test('a wrong key is told in the health, a redirect is not followed, and neither shows the key', async () => {
  const strict = await serve({ protocol: 'openai', models: ['m'], answer: 'No.', apiKey: 'another' })
  const wrong = await add('strict', 'openai', strict, { api_key: KEY })
  expect(wrong.body.health).toMatchObject({ status: 'down', error: expect.stringContaining('401') })
  const target = await serve({ protocol: 'openai', models: ['m'], answer: 'Caught.' })
  const away = await serve({ protocol: 'openai', models: ['m'], answer: '', redirectTo: `${target.url}/models` })
  const moved = await add('moved', 'openai', away, { api_key: KEY })
  expect(moved.body.health).toMatchObject({ status: 'down', error: expect.stringContaining('base_url has to name') })
  expect(target.asked).toEqual([])
})

test('parameters reach both protocols, and thoughts are kept out of the answer', async () => {
  const answer = '<think>Which greeting?</think>\n\nGood day.'
  const ollama = await serve({ protocol: 'ollama', models: ['thinker'], answer })
  const openai = await serve({ protocol: 'openai', models: ['reasoner'], answer })
  await add('ollama-2', 'ollama', ollama)
  await add('openai-2', 'openai', openai)
  const format = { type: 'object', properties: { greeting: { type: 'string' } } }
  const parameters = { temperature: 0.5, think: 'low', num_ctx: 2_048, keep_alive: '10m', format }
  for (const model of ['thinker', 'reasoner']) {
    const { done, events } = await ada.chat('Greet me.', { model, enable_tools: false, parameters })
    expect(done.content).toBe('Good day.')
    expect(JSON.stringify(events)).not.toContain('Which greeting')
  }
  expect(ollama.chats[0]?.body).toMatchObject({
    think: 'low',
    keep_alive: '10m',
    format,
    options: { temperature: 0.5, num_ctx: 2_048 },
  })
  expect(openai.chats[0]?.body).toMatchObject({
    temperature: 0.5,
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { schema: format } },
  })
  expect(openai.chats[0]?.body).not.toHaveProperty('keep_alive')
  const completion = { model: 'reasoner', messages: [{ role: 'user', content: 'Greet me.' }], reasoning_effort: 'none' }
  expect((await ada.post('/v1/chat/completions', completion)).body.choices[0].message.content).toBe('Good day.')
  expect(openai.chats[1]?.body).toMatchObject({ reasoning_effort: 'none' })
  const response = { model: 'reasoner', input: 'Greet me.', reasoning: { effort: 'minimal' } }
  expect((await ada.post('/v1/responses', response)).body).toMatchObject({ status: 'completed' })
  expect(openai.chats[2]?.body).toMatchObject({ reasoning_effort: 'low' })
  for (const bad of [{ keep_alive: '25h' }, { keep_alive: -1 }, { num_ctx: 1 }, { think: 'a lot' }])
    expect((await ada.post('/v1/chat', { text_input: 'Hello?', parameters: bad })).status, JSON.stringify(bad)).toBe(400)
})

test('thoughts are shown to who asks for them, by each protocol, and change nothing of the answer', async () => {
  const thinking = 'Which greeting? 🙂'
  const answer = 'Good day.'
  await add('ollama-3', 'ollama', await serve({ protocol: 'ollama', models: ['field'], thinking, answer }))
  await add('openai-3', 'openai', await serve({ protocol: 'openai', models: ['delta'], thinking, answer }))
  const marked = `<think>${thinking}</think>\n\n${answer}`
  await add('openai-4', 'openai', await serve({ protocol: 'openai', models: ['marks'], answer: marked }))
  const openai = new OpenAI({ baseURL: `${system.api}/v1`, apiKey: ada.key })
  const anthropic = new Anthropic({ baseURL: system.api, apiKey: ada.key })
  for (const model of ['field', 'delta', 'marks']) {
    const body = { model, enable_tools: false }
    const asked = await ada.chat('Greet me.', { ...body, show_thinking: true })
    const shown = asked.events.flatMap(({ event, data }) => (event === 'thinking' ? [data.text] : []))
    expect([shown.join(''), textOf(asked.events), asked.done.content]).toEqual([thinking, answer, answer])
    expect((await ada.get(`/v1/runs/${asked.runId}`)).body.answer).toMatchObject({ content: answer, thinking })
    const again = await Array.fromAsync(readEvents(await ada.fetch(`/v1/runs/${asked.runId}/events`)))
    expect(again).toEqual(asked.events)
    const whole = await ada.post('/v1/chat', { ...body, text_input: 'Greet me.', stream: false, show_thinking: true })
    expect(whole.body).toMatchObject({ content: answer, thinking })

    const plain = await ada.chat('Greet me.', body)
    expect(JSON.stringify(plain)).not.toContain('Which greeting')
    expect(textOf(plain.events)).toBe(answer)
    const steps = `/v1/runs/${plain.runId}/steps`
    expect(JSON.stringify((await ada.get(steps)).body)).not.toContain('Which greeting')
    expect((await ada.get(`${steps}?include=content`)).body.steps[0].content.response).toMatchObject({
      content: answer,
      thinking,
    })

    const question = { role: 'user' as const, content: 'Greet me.' }
    const completion = { model, messages: [question] }
    const showing = { ...completion, include_reasoning: true }
    const message = (await openai.chat.completions.create(showing)).choices[0]?.message
    expect(message).toMatchObject({ content: answer, reasoning_content: thinking })
    const chunks = await Array.fromAsync(await openai.chat.completions.create({ ...showing, stream: true }))
    const deltas = chunks.map(({ choices: [choice] }) => ({ reasoning_content: '', content: '', ...choice?.delta }))
    expect(deltas.map((delta) => delta.reasoning_content).join('')).toBe(thinking)
    expect(deltas.map(({ content }) => content).join('')).toBe(answer)
    const silent = await openai.chat.completions.create(completion)
    expect(JSON.stringify(silent)).not.toContain('Which greeting')

    const thinks = { type: 'enabled' as const, budget_tokens: 1_024 }
    const request = { model, max_tokens: 2_000, messages: [question], thinking: thinks }
    const blocks = [
      { type: 'thinking', thinking, signature: expect.any(String) },
      { type: 'text', text: answer },
    ]
    expect((await anthropic.messages.create(request)).content).toMatchObject(blocks)
    const streamed = await anthropic.messages.stream(request).finalMessage()
    expect(streamed.content).toMatchObject(blocks)
    const next = [question, { role: 'assistant' as const, content: streamed.content }, question]
    const hidden = await anthropic.messages.create({ ...request, messages: next, thinking: { type: 'disabled' } })
    expect(hidden.content).toMatchObject([{ type: 'text', text: answer }])
    expect(hidden.content).toHaveLength(1)
  }
})

test('what is wrong is refused', async () => {
  const good = { name: 'good', protocol: 'ollama', base_url: 'http://127.0.0.1:1' }
  for (const bad of [
    { base_url: 'ftp://127.0.0.1' },
    { base_url: 'http://me:secret@127.0.0.1' },
    { base_url: 'http://127.0.0.1/?key=1' },
    { base_url: `http://127.0.0.1/${'x'.repeat(2_048)}` },
    { name: ' ' },
    { protocol: 'grpc' },
    { concurrency: 0 },
    { api_key: 'two words' },
  ])
    expect((await root.post(BACKENDS, { ...good, ...bad })).body, JSON.stringify(bad)).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await root.post(BACKENDS, good)).body.health).toMatchObject({ status: 'down' })
  for (const name of ['good', 'ollama', 'openai'])
    expect((await root.post(BACKENDS, { ...good, name })).body).toMatchObject(failure('CONFLICT'))
  for (const method of ['GET', 'PATCH', 'DELETE'])
    expect((await root.call(method, `${BACKENDS}/${UNKNOWN}`, method === 'PATCH' ? {} : undefined)).body).toMatchObject(
      failure('MODEL_BACKEND_NOT_FOUND'),
    )
})

test('the server of the settings stays what they say, and can be switched off', async () => {
  const { body } = await root.get(BACKENDS)
  const [ollama] = body.backends
  expect(ollama).toMatchObject({ name: 'ollama', source: 'environment', has_api_key: false })
  expect((await root.call('DELETE', `${BACKENDS}/${ollama.id}`)).body).toMatchObject(failure('CONFLICT'))
  expect((await patch(ollama.id, { base_url: 'http://127.0.0.1:1' })).body).toMatchObject(failure('CONFLICT'))
  expect((await patch(ollama.id, { enabled: false })).body).toMatchObject({ enabled: false })
  expect((await ada.get('/v1/models')).body.data).toHaveLength(1)
  expect((await patch(ollama.id, { enabled: true })).body).toMatchObject({ enabled: true, health: { status: 'up' } })
  expect(await ask('youworker-offline')).not.toBe('')
})

test('one run of a user does not wait for the fifty of another, and each is told its place', async () => {
  const gate = Promise.withResolvers<void>()
  const served: string[] = []
  const answer = async ({ body }: { body: { messages: { content: string }[] } }) => {
    served.push(body.messages.at(-1)?.content ?? '')
    await gate.promise
    return 'Done.'
  }
  const server = await serve({ protocol: 'ollama', models: ['slow'], answer })
  await add('slow', 'ollama', server, { concurrency: 2 })
  const run = (who: Person, text: string) => who.chat(text, { model: 'slow', enable_tools: false })
  const many = Array.from({ length: 50 }, (_, n) => run(ada, `ada ${n}`))
  await untilLoad('slow', { running: 2, waiting: 48 })
  const one = run(bob, 'bob')
  await untilLoad('slow', { running: 2, waiting: 49 })
  gate.resolve()
  const { events, done } = await one
  expect(done).toMatchObject({ content: 'Done.', metadata: { status: 'success' } })
  const all = await Promise.all(many)
  expect(all.map((ended) => ended.done.content)).toEqual(all.map(() => 'Done.'))
  expect(served).toHaveLength(51)
  // Two of ada's were being answered already.
  expect(served.indexOf('bob')).toBe(2)
  const positions = (list: typeof events) =>
    list.flatMap(({ event, data }) => (event === 'status' && data.stage === 'queued' ? [data.position] : []))
  // In the queue of the session, then in that of the model.
  expect(positions(events)).toEqual([0, 0])
  expect(Math.max(...all.flatMap((ended) => positions(ended.events)))).toBeGreaterThan(40)
}, 120_000)

test('a run that waits for its turn is stopped at once', async () => {
  const gate = Promise.withResolvers<void>()
  const answer = async () => {
    await gate.promise
    return 'Done.'
  }
  const server = await serve({ protocol: 'ollama', models: ['slow'], answer })
  await add('slow', 'ollama', server)
  const first = ada.chat('one', { model: 'slow', enable_tools: false })
  await waitFor(() => server.chats.length === 1, { what: 'the first call' })
  await untilLoad('slow', { running: 1, waiting: 0 })
  const { body: started, status } = await bob.post(
    '/v1/chat',
    { text_input: 'two', model: 'slow', enable_tools: false, stream: false },
    { prefer: 'wait=1' },
  )
  expect(status).toBe(202)
  await untilLoad('slow', { running: 1, waiting: 1 })
  expect((await bob.post(`/v1/runs/${started.run_id}/stop`)).status).toBe(200)
  await waitFor(async () => (await bob.get(`/v1/runs/${started.run_id}`)).body.status === 'cancelled', { what: 'the stop' })
  await untilLoad('slow', { running: 1, waiting: 0 })
  gate.resolve()
  expect((await first).done.content).toBe('Done.')
  expect(server.chats).toHaveLength(1)
})

test('neither an answer nor a line of a log has ever shown the key', () => {
  expect(answers).toContain('gpu-1')
  expect(answers).not.toContain(KEY)
  expect(system.logs()).not.toContain(KEY)
})

/** A model that cannot call tools and writes its calls as text, as it was told. */
const reactAnswer = async ({ body }: { body: { messages: { role: string; content: string }[] } }) => {
  const { role, content } = body.messages.at(-1) ?? { role: '', content: '' }
  if (!content.startsWith('Observation:')) {
    expect(role).toBe('user')
    return 'Thought: I look it up.\nAction: knowledge_search\nAction Input: {"query": "Which river flows through Ulm?"}\nObservation: the Rhine'
  }
  return content.includes('Danube')
    ? 'Thought: It says so.\nFinal Answer: It is the Danube [1].'
    : 'Final Answer: Nothing was found.'
}
const RIVER = [{ name: 'ulm.md', content: '# Ulm\n\nThe Danube flows through Ulm.\n' }]

test('a model without tools writes its calls as text, reads their results, and cites', async () => {
  await ada.upload(RIVER)
  const server = await serve({ protocol: 'ollama', models: ['wordy'], answer: reactAnswer })
  await add('wordy', 'ollama', server)
  const { done, events } = await ada.chat('Which river flows through Ulm?', { model: 'wordy' })
  expect(done).toMatchObject({ content: 'It is the Danube [1].', metadata: { status: 'success', iterations: 2 } })
  expect(done.citations).toEqual([expect.objectContaining({ index: 1, title: 'Ulm' })])
  expect(done.tool_events.map(({ tool, status }: { tool: string; status: string }) => [tool, status])).toEqual([
    ['knowledge_search', 'start'],
    ['knowledge_search', 'end'],
  ])
  const [first, second] = server.chats.map(({ body }) => body)
  expect(first).toMatchObject({ options: { stop: ['\nObservation:'] } })
  expect(first.tools ?? []).toEqual([])
  expect(first.messages[0].content).toContain('- knowledge_search:')
  expect(second.messages.slice(-2)).toEqual([
    { role: 'assistant', content: 'Action: knowledge_search\nAction Input: {"query":"Which river flows through Ulm?"}' },
    { role: 'user', content: expect.stringMatching(/^Observation: \[1\] Ulm\n/) },
  ])
  expect(JSON.stringify(events)).not.toContain('Thought:')
})

test("a client's own tool comes back as a call from a model without tools", async () => {
  const answer = 'Action: get_weather\nAction Input: {"city": "Ulm"}'
  const server = await serve({ protocol: 'openai', models: ['plainly'], answer })
  await add('plainly', 'openai', server)
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools = [{ type: 'function', function: { name: 'get_weather', description: 'Weather', parameters } }]
  const asked = { model: 'plainly', messages: [{ role: 'user', content: 'Weather in Ulm?' }], tools, strategy: 'react' }
  const { body } = await ada.post('/v1/chat/completions', asked)
  expect(body.choices[0]).toMatchObject({
    finish_reason: 'tool_calls',
    message: { tool_calls: [{ function: { name: 'get_weather', arguments: '{"city":"Ulm"}' } }] },
  })
  expect(server.chats[0]?.body.messages).toEqual([
    { role: 'system', content: expect.stringMatching(/^You have these tools:\n- get_weather/) },
    { role: 'user', content: 'Weather in Ulm?' },
  ])
})

test('with rag the documents are searched first, and the model is asked once, without tools', async () => {
  await bob.upload(RIVER)
  const server = await serve({ protocol: 'openai', models: ['quick'], answer: 'The Danube [1].' })
  await add('quick', 'openai', server)
  const { done, runId } = await bob.chat('Which river flows through Ulm?', { model: 'quick', strategy: 'rag' })
  expect(done).toMatchObject({ content: 'The Danube [1].', metadata: { iterations: 1, tool_calls: 1 } })
  expect(done.citations).toEqual([expect.objectContaining({ index: 1, title: 'Ulm' })])
  expect(server.chats).toHaveLength(1)
  const [{ body } = { body: undefined }] = server.chats
  expect(body.tools ?? []).toEqual([])
  expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['system', 'user'])
  expect(body.messages[1].content).toMatch(/^Which river flows through Ulm\?\n\nFound in the documents:\n\n\[1\] Ulm\n/)
  const { steps } = (await bob.get(`/v1/runs/${runId}`)).body
  expect(steps.map(({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`)).toEqual([
    'tool knowledge_search',
    'model quick',
  ])
  expect((await bob.post('/v1/chat', { text_input: 'x', strategy: 'guess' })).body).toMatchObject(failure('VALIDATION_ERROR'))
})
