import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { startModelServer } from '@youworker/test-kit/model-server'
import { generateText } from 'ai'
import OpenAI from 'openai'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person, readEvents } from './support/person.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const stack = new AsyncDisposableStack()
let system: TestSystem
let ada: Person
let openai: OpenAI
let eyes: Awaited<ReturnType<typeof startModelServer>>
let seer: Awaited<ReturnType<typeof startModelServer>>

const image = (start: string, fill = 7, size = 60) =>
  Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(size, fill)]).toString('base64')
const PNG = image('\x89PNG\r\n\x1A\n')
const JPEG = image('\xFF\xD8\xFF')
const WEBP = image('RIFF\x40\0\0\0WEBP')
const GIF = image('GIF89a')
const url = (data: string, mime = 'image/png') => `data:${mime};base64,${data}`

beforeAll(async () => {
  eyes = stack.use(
    await startModelServer({ protocol: 'ollama', models: ['eyes'], answer: 'I see.', capabilities: ['completion', 'vision'] }),
  )
  seer = stack.use(await startModelServer({ protocol: 'openai', models: ['seer'], answer: 'I see, too.' }))
  system = stack.use(await startTestSystem({ env: { LLM__VISION_MODEL: 'eyes', LLM__CHAT_MODEL: 'youworker-offline' } }))
  const backends = [
    { name: 'sees', protocol: 'ollama', base_url: eyes.url },
    { name: 'sees-too', protocol: 'openai', base_url: seer.url },
  ]
  for (const backend of backends) expect((await system.root.post('/v1/admin/models/backends', backend)).status).toBe(201)
  ada = await system.newPerson('ada')
  openai = clientOf(ada, { maxRetries: 0 })
}, 120_000)
afterAll(() => stack.disposeAsync())

/** The messages of the newest request for an answer. */
const shown = (server: typeof eyes) => server.chats.at(-1)?.body.messages
const asking = (...urls: string[]): OpenAI.ChatCompletionUserMessageParam => ({
  role: 'user',
  content: [
    { type: 'text', text: 'What is this?' },
    ...urls.map((one) => ({ type: 'image_url' as const, image_url: { url: one } })),
  ],
})

test('a chat completion shows its images to either kind of model server, those of earlier turns too', async () => {
  const messages = [asking(url(PNG, 'image/whatever'), url(JPEG)), { role: 'assistant', content: 'A cat.' } as const]
  const more = [...messages, { role: 'user', content: 'Which colour?' } as const]
  const plain = await openai.chat.completions.create({ model: 'eyes', messages: more })
  expect(plain.choices[0]?.message.content).toBe('I see.')
  expect(shown(eyes)).toEqual([
    { role: 'user', content: 'What is this?', images: [PNG, JPEG] },
    { role: 'assistant', content: 'A cat.' },
    { role: 'user', content: 'Which colour?' },
  ])
  const stream = await openai.chat.completions.create({ model: 'seer', messages: messages.slice(0, 1), stream: true })
  const chunks = await Array.fromAsync(stream)
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('I see, too.')
  const parts = [PNG, JPEG].map((data, n) => ({
    type: 'image_url',
    image_url: { url: url(data, n === 0 ? 'image/png' : 'image/jpeg') },
  }))
  expect(shown(seer)).toEqual([{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, ...parts] }])
  const session_id = (plain as unknown as { session_id: string }).session_id
  const on = { model: 'eyes', session_id, messages: [asking(url(PNG))] } as OpenAI.ChatCompletionCreateParamsNonStreaming
  await openai.chat.completions.create(on)
  expect(shown(eyes).at(-1)).toEqual({ role: 'user', content: 'What is this?', images: [PNG] })
})

test('the agent answers what it is shown with the model for it', async () => {
  await openai.chat.completions.create({ model: 'youworker', messages: [asking(url(PNG))] })
  expect(shown(eyes).at(-1)).toMatchObject({ role: 'user', images: [PNG] })
  const answer = await ada.post('/v1/unified-chat', { images_b64: [PNG, url(JPEG)], text_input: 'What is it?', stream: false })
  expect(answer).toMatchObject({ status: 200, body: { content: 'I see.', metadata: { model: 'eyes', status: 'success' } } })
  expect(shown(eyes).at(-1)).toEqual({ role: 'user', content: 'What is it?', images: [PNG, JPEG] })
  const { session_id } = answer.body
  await ada.post('/v1/unified-chat', { session_id, images_b64: [JPEG], stream: false })
  const last = shown(eyes)
  expect(last.filter(({ images }: { images?: unknown }) => images)).toEqual([
    { role: 'user', content: '[image]', images: [JPEG] },
  ])
  expect(last.map(({ content }: { content: string }) => content)).toContain('What is it?')
})

test('a response shows its images once; who goes on from it, or reads it, is told that there were some', async () => {
  const content = [
    { type: 'input_text' as const, text: 'What is this?' },
    { type: 'input_image' as const, image_url: url(PNG), detail: 'auto' as const },
  ]
  const first = await openai.responses.create({ model: 'eyes', input: [{ role: 'user', content }] })
  expect(first.output_text).toBe('I see.')
  expect(shown(eyes)).toEqual([{ role: 'user', content: 'What is this?', images: [PNG] }])
  await openai.responses.create({ model: 'eyes', input: 'Which colour?', previous_response_id: first.id })
  expect(shown(eyes)).toEqual([
    { role: 'user', content: 'What is this?\n[An image stood here.]' },
    { role: 'assistant', content: 'I see.' },
    { role: 'user', content: 'Which colour?' },
  ])
  const items = await openai.responses.inputItems.list(first.id)
  expect(items.data).toMatchObject([
    { role: 'user', content: [{ text: 'What is this?' }, { type: 'input_image', detail: 'auto' }] },
  ])
  expect(JSON.stringify(items.data)).not.toContain(PNG)
})

test("Anthropic's client and the AI SDK send images", async () => {
  const anthropic = new Anthropic({ baseURL: ada.api, apiKey: ada.key ?? '', maxRetries: 0 })
  const source = { type: 'base64', media_type: 'image/png', data: PNG } as const
  const messages = [
    {
      role: 'user',
      content: [
        { type: 'image', source },
        { type: 'text', text: 'What is this?' },
      ],
    },
  ] as const
  const body = { model: 'seer', max_tokens: 100, messages: structuredClone(messages) as unknown as Anthropic.MessageParam[] }
  const answer = await anthropic.messages.create(body)
  expect(answer.content).toMatchObject([{ type: 'text', text: 'I see, too.' }])
  expect(shown(seer)[0].content).toEqual([
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url: url(PNG) } },
  ])
  const { input_tokens } = await anthropic.messages.countTokens({ model: 'seer', messages: body.messages })
  expect(input_tokens).toBeGreaterThan(500)
  const far = { type: 'image', source: { type: 'url', url: 'https://example.org/cat.png' } } as const
  const asked = anthropic.messages.create({ ...body, messages: [{ role: 'user', content: [far] }] })
  await expect(asked).rejects.toThrow(/data:image/)

  const provider = createOpenAICompatible({ name: 'youworker', baseURL: `${ada.api}/v1`, apiKey: ada.key ?? '' })
  const parts = [
    { type: 'text' as const, text: 'What is this?' },
    { type: 'file' as const, data: Buffer.from(JPEG, 'base64'), mediaType: 'image/jpeg' },
  ]
  const { text } = await generateText({ model: provider('eyes'), messages: [{ role: 'user', content: parts }] })
  expect(text).toBe('I see.')
  expect(shown(eyes)).toEqual([{ role: 'user', content: 'What is this?', images: [JPEG] }])
})

test('large images pass, and what is too large or no image is refused with what to do', async () => {
  const large = image('\x89PNG\r\n\x1A\n', 9, 600 * 1024)
  await openai.chat.completions.create({ model: 'eyes', messages: [asking(url(large))] })
  expect(shown(eyes)[0].images).toEqual([large])
  const refused = async (...urls: string[]) => {
    const error: unknown = await openai.chat.completions
      .create({ model: 'eyes', messages: [asking(...urls)] })
      .catch((one: unknown) => one)
    return error instanceof OpenAI.APIError ? [error.status, error.param] : error
  }
  expect(await refused(url(image('\x89PNG\r\n\x1A\n', 9, 640 * 1024)))).toEqual([413, null])
  expect(await refused(...Array.from({ length: 17 }, () => url(PNG)))).toEqual([413, null])
  expect(await refused('https://example.org/cat.png')).toEqual([400, 'messages.0.content'])
  expect(await refused(url('AAA!'))).toEqual([400, 'messages.0.content'])
  expect(await refused(url(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64'), 'image/png'))).toEqual([
    415,
    'messages.0.content',
  ])
  const text = await ada.post('/v1/chat/completions', {
    model: 'eyes',
    messages: [{ role: 'user', content: 'x'.repeat(500_000) }],
  })
  expect(text.status).toBe(413)
  const unified = await ada.post('/v1/unified-chat', { text_input: 'Hello', images_b64: [large, large], stream: false })
  expect([unified.status, unified.body.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
  const system = { role: 'system', content: [{ type: 'image_url', image_url: { url: url(PNG) } }] }
  const instructed = await ada.post('/v1/chat/completions', { model: 'eyes', messages: [system, asking()] })
  expect(instructed.status).toBe(400)
})

test('a model that is known not to see is refused before anything is stored', async () => {
  const before = (await ada.get('/v1/sessions')).body.total
  const asked = openai.chat.completions.create({ model: 'youworker-offline', messages: [asking(url(PNG))] })
  await expect(asked).rejects.toMatchObject({
    status: 400,
    message: expect.stringMatching(/youworker-offline cannot see images.*vision/),
  })
  expect((await ada.get('/v1/sessions')).body.total).toBe(before)
  const session = (await ada.post('/v1/sessions', {})).body.external_id
  const later = await ada.post('/v1/unified-chat', {
    session_id: session,
    images_b64: [PNG],
    model: 'youworker-offline',
    stream: false,
  })
  expect([later.status, later.body.error.param]).toEqual([400, 'model'])
})

test('a retry shows the images of its question again, with other words too; a model that does not see is refused', async () => {
  const first = await ada.post('/v1/unified-chat', { images_b64: [PNG], text_input: 'What is it?', stream: false })
  const { session_id } = first.body
  await ada.post('/v1/unified-chat', { session_id, text_input: 'Thanks', enable_tools: false, stream: false })
  const [question, answer, thanks] = (await ada.get(`/v1/sessions/${session_id}/messages`)).body.messages
  const retry = ({ id }: { id: string }, body: object = {}) =>
    ada.post(`/v1/sessions/${session_id}/messages/${id}/retry`, { stream: false, enable_tools: false, ...body })
  expect((await retry(thanks)).status).toBe(200)
  expect((await retry(answer)).body).toMatchObject({ content: 'I see.', metadata: { model: 'eyes' } })
  expect(shown(eyes).at(-1)).toEqual({ role: 'user', content: 'What is it?', images: [PNG] })
  await retry(question, { content: 'Which colour?', model: 'seer' })
  expect(shown(seer).at(-1).content).toEqual([
    { type: 'text', text: 'Which colour?' },
    { type: 'image_url', image_url: { url: url(PNG) } },
  ])
  const blind = await retry(question, { model: 'youworker-offline' })
  expect([blind.status, blind.body.error.param]).toEqual([400, 'model'])

  const whole = await openai.chat.completions.create({ model: 'eyes', messages: [asking(url(JPEG))] })
  const session = (whole as unknown as { session_id: string }).session_id
  const [asked] = (await ada.get(`/v1/sessions/${session}/messages`)).body.messages
  const again = await ada.post(`/v1/sessions/${session}/messages/${asked.id}/retry`, { content: 'Who is this?', stream: false })
  expect(again.status).toBe(200)
  expect(shown(eyes)).toEqual([{ role: 'user', content: 'Who is this?', images: [JPEG] }])
})

test('an image is not stored again with each call: a step tells that there was one', async () => {
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
  const body = { images_b64: [PNG], text_input: 'Which river is this? The Danube?', strategy: 'rag' }
  const headers = { 'content-type': 'application/json' }
  const posted = await ada.fetch('/v1/unified-chat', { method: 'POST', headers, body: JSON.stringify(body) })
  const events = await Array.fromAsync(readEvents(posted))
  expect(shown(eyes).at(-1)).toEqual({ role: 'user', content: expect.stringContaining('ten countries'), images: [PNG] })
  const run = events[0]?.data.run_id
  const { steps } = (await ada.get(`/v1/runs/${run}/steps?include=content`)).body
  const call = steps.find(({ kind }: { kind: string }) => kind === 'model')
  expect(call.content.prompt).toContainEqual({ role: 'user', content: `${body.text_input}\n[An image stood here.]` })
  expect(JSON.stringify(steps)).not.toContain(PNG)
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  const { rows } = await client.query('select content from chat_agent.model_steps where run_id = $1', [run])
  expect(rows.map(({ content }) => content.length < 8_000)).toEqual([true])
  await client.end()
})

test('images are erased with their session', async () => {
  const { body } = await ada.post('/v1/unified-chat', { images_b64: [WEBP, GIF], stream: false })
  expect(shown(eyes).at(-1)).toEqual({ role: 'user', content: '[image]', images: [WEBP, GIF] })
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  const stored = async () => {
    const { rows } = await client.query('select settings from chat_agent.runs where session_id = $1', [body.session_id])
    return rows.map(({ settings }) => settings as Buffer)
  }
  expect((await stored()).map((settings) => settings.includes(WEBP))).toEqual([false])
  expect((await ada.call('DELETE', `/v1/sessions/${body.session_id}?purge=true`)).status).toBe(204)
  await expect.poll(stored).toEqual([])
  await client.end()
})
