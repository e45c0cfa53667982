import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

type Response = OpenAI.Responses.Response
type Event = OpenAI.Responses.ResponseStreamEvent

let system: TestSystem
let ada: Person
let client: OpenAI
let dir: string
const QUESTION = 'Through how many countries does the Danube flow?'
const COUNT = Array.from({ length: 60 }, (_, n) => `${n}`).join(' ')
/** Its events at the end are larger than one message of NATS, and than what may wait for a slow reader. */
const LONG = Array.from({ length: 45_000 }, (_, n) => String.fromCharCode(0x4e00 + (n % 5_000))).join(' ')
const callWith = (length: number) => ({
  text: '',
  tool_calls: [{ name: 'get_weather', arguments: { city: '界'.repeat(length) } }],
})

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-responses-'))
  const script = join(dir, 'script.json')
  const weather = { name: 'get_weather', arguments: { city: 'Ulm' } }
  const rules = [
    { match: { contains: 'Count' }, reply: { text: COUNT, tokens_per_second: 100 } },
    { match: { contains: 'Repeat the conversation' }, reply: { echo: true } },
    { match: { contains: 'Fail' }, reply: { status: 400 } },
    { match: { contains: 'Be long' }, reply: { text: LONG } },
    { match: { contains: 'Call with much' }, reply: callWith(30_000) },
    { match: { contains: 'Call with too much' }, reply: callWith(180_000) },
    { match: { contains: 'weather', last_role: 'user' }, reply: { text: 'I will look.', tool_calls: [weather] } },
    { match: { contains: 'weather' }, reply: { echo: true } },
  ]
  await writeFile(script, JSON.stringify({ rules }))
  system = await startTestSystem({ script })
  ada = await system.newPerson('ada')
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
  client = clientOf(ada)
}, 120_000)
afterAll(async () => {
  await system[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const clientOf = (person: Person, more: object = {}) =>
  new OpenAI({ baseURL: `${person.api}/v1`, apiKey: person.key ?? '', ...more })
const agent = { model: 'youworker' } as const
const raw = { model: 'youworker-offline' } as const
const numbersOf = (events: readonly Event[]) => events.map(({ sequence_number }) => sequence_number)
/** The events without runs of the same type. */
const shapeOf = (events: readonly Event[]) => events.map(({ type }) => type).filter((type, n, all) => type !== all[n - 1])
const textOf = ({ output: [item] }: Response) =>
  item?.type === 'message' && item.content[0]?.type === 'output_text' ? item.content[0].text : ''
const seenBy = ({ output_text }: Response) => JSON.parse(output_text) as { role: string; content: string }[]

const WEATHER: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  strict: false,
}

test('the agent answers from the documents of who asks, and says where from', async () => {
  const answer = await client.responses.create({ ...agent, input: QUESTION })
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^resp_/),
    object: 'response',
    status: 'completed',
    model: 'youworker',
    error: null,
    incomplete_details: null,
    output: [{ type: 'message', role: 'assistant', status: 'completed' }],
    citations: [{ index: 1, title: 'Rivers' }],
  })
  expect(answer.output_text).toContain('ten countries')
  const [message] = answer.output
  const part = message?.type === 'message' && message.content[0]?.type === 'output_text' ? message.content[0] : undefined
  const { filename, index } = { filename: '', index: 0, ...part?.annotations[0] }
  expect([filename, answer.output_text.slice(index, index + 3)]).toEqual(['Rivers', '[1]'])
  const { input_tokens = 0, output_tokens = 0, total_tokens } = answer.usage ?? {}
  expect([output_tokens > 0, total_tokens]).toEqual([true, input_tokens + output_tokens])
  expect(Date.now() / 1_000 - answer.created_at).toBeLessThan(600)
  expect(answer.completed_at).toBeGreaterThanOrEqual(answer.created_at)
})

test('a stream brings the same answer in the events of the protocol, numbered without gaps', async () => {
  const events = await Array.fromAsync(await client.responses.create({ ...agent, input: QUESTION, stream: true }))
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.annotation.added',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const text = events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : [])).join('')
  const last = events.at(-1)
  expect(last).toMatchObject({ response: { status: 'completed', output: [{ content: [{ text }] }] } })
  expect(text).toContain('ten countries')
})

test("the library's own reader of streams reads it", async () => {
  const seen: string[] = []
  const stream = client.responses.stream({ ...agent, input: 'Count to sixty' })
  stream.on('response.output_text.delta', ({ delta }) => void seen.push(delta))
  const answer = await stream.finalResponse()
  expect(seen.length).toBeGreaterThan(5)
  expect([seen.join(''), answer.output_text]).toEqual([COUNT, COUNT])
})

test('a model itself gets the items as they are, and the client sets how it writes', async () => {
  const input: OpenAI.Responses.ResponseInput = [
    { role: 'developer', content: 'Be kind.' },
    { role: 'user', content: 'Hello' },
    {
      type: 'message',
      role: 'assistant',
      id: 'msg_1',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hello!', annotations: [] }],
    },
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Repeat the ' },
        { type: 'input_text', text: 'conversation' },
      ],
    },
  ]
  const asked = { ...raw, instructions: 'Be brief.', metadata: { case: '7' }, temperature: 0.5, top_p: 0.9, user: 'ada', input }
  const answer = await client.responses.create(asked)
  expect(seenBy(answer)).toEqual([
    { role: 'system', content: 'Be brief.\n\nBe kind.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hello!' },
    { role: 'user', content: 'Repeat the conversation' },
  ])
  expect(answer).toMatchObject({ instructions: 'Be brief.', metadata: { case: '7' }, temperature: 0.5, top_p: 0.9, user: 'ada' })
  const short = await client.responses.create({ ...raw, input: 'Count', max_output_tokens: 5 })
  expect(short).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
    output: [{ status: 'incomplete', content: [{ text: COUNT.slice(0, 9) }] }],
    max_output_tokens: 5,
  })
  const events = await Array.fromAsync(
    await client.responses.create({ ...raw, input: 'Count', max_output_tokens: 5, stream: true }),
  )
  expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: { status: 'incomplete' } })
})

test.each(['youworker', 'youworker-offline'])('%s calls tools that the client runs, whole and in a stream', async (model) => {
  const question = { role: 'user', content: 'What is the weather in Ulm?' } as const
  const called = { type: 'function_call', name: 'get_weather', arguments: '{"city":"Ulm"}', status: 'completed' }
  const first = await client.responses.create({ model, input: [question], tools: [WEATHER] })
  expect(first).toMatchObject({ status: 'completed', output_text: 'I will look.', tools: [WEATHER] })
  const [message, call] = first.output
  expect(call).toMatchObject(called)
  if (message?.type !== 'message' || call?.type !== 'function_call') throw new Error('no call')
  const second = await client.responses.create({
    model,
    tools: [WEATHER],
    input: [question, message, call, { type: 'function_call_output', call_id: call.call_id, output: 'Sunny' }],
  })
  expect(seenBy(second).slice(-3)).toEqual([
    question,
    { role: 'assistant', content: 'I will look.' },
    { role: 'tool', content: 'Sunny' },
  ])
  const events = await Array.fromAsync(
    await client.responses.create({ model, input: [question], tools: [WEATHER], stream: true }),
  )
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events).slice(-8)).toEqual([
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.output_item.done',
    'response.completed',
  ])
  expect(events.at(-1)).toMatchObject({ response: { output: [{ type: 'message' }, called] } })
  const parsed = await client.responses.stream({ model, input: [question], tools: [WEATHER] }).finalResponse()
  expect(parsed.output.at(-1)).toMatchObject(called)
})

test('the client chooses among its tools', async () => {
  const ask = async (tool_choice: OpenAI.Responses.ToolChoiceAllowed | 'none') => {
    const asked = { ...raw, input: 'Repeat the conversation', tools: [WEATHER, { ...WEATHER, name: 'other' }], tool_choice }
    return client.responses.create(asked)
  }
  const chosen = {
    type: 'allowed_tools',
    mode: 'auto',
    tools: [{ type: 'function', name: 'other' }],
  } satisfies OpenAI.Responses.ToolChoiceAllowed
  expect(await ask(chosen)).toMatchObject({
    status: 'completed',
    tool_choice: chosen,
    tools: [{ name: 'get_weather' }, { name: 'other' }],
  })
  expect(await ask('none')).toMatchObject({ tool_choice: 'none' })
})

test('answers have the form that is asked for', async () => {
  const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'], additionalProperties: false }
  const format = { type: 'json_schema', name: 'answer', schema, strict: true } as const
  const answer = await client.responses.create({ ...raw, input: 'Repeat the conversation', text: { format } })
  expect(answer.text?.format).toMatchObject(format)
})

test('what is not served is refused with the field that asks for it', async () => {
  const ask = (more: object) =>
    client.responses.create({ ...agent, input: 'Hello', ...more }).then(
      () => 'answered',
      (error: InstanceType<typeof OpenAI.APIError>) => [error.status, error.param, error.code],
    )
  const refused = (field: string) => [400, field, 'VALIDATION_ERROR']
  const image = { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'auto' }
  expect(await ask({ input: [{ role: 'user', content: [image] }] })).toEqual(refused('input.0'))
  expect(await ask({ input: [{ type: 'function_call_output', call_id: 'none', output: '1' }] })).toEqual(refused('input'))
  expect(await ask({ input: [{ type: 'computer_call_output', call_id: 'x' }] })).toEqual(refused('input.0'))
  expect(await ask({ input: '' })).toEqual(refused('input'))
  expect(await ask({ tools: [{ type: 'web_search' }] })).toEqual(refused('tools.0'))
  expect(await ask({ tools: [WEATHER], tool_choice: { type: 'file_search' } })).toEqual(refused('tool_choice'))
  expect(await ask({ prompt: { id: 'pmpt_1' } })).toEqual(refused('prompt'))
  expect(await ask({ background: true, store: false })).toEqual(refused('background'))
  expect(await ask({ top_logprobs: 3 })).toEqual(refused('top_logprobs'))
  expect(await ask({ temperature: 3 })).toEqual(refused('temperature'))
  expect(await ask({ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`${n}`, ''])) })).toEqual(
    refused('metadata'),
  )
  expect(await ask({ previous_response_id: 'resp_none' })).toEqual([404, null, 'RUN_NOT_FOUND'])
  expect(await ask({ conversation: 'none' })).toEqual([404, null, 'SESSION_NOT_FOUND'])
})

test("errors are of the library's classes, and what has failed is not begun anew", async () => {
  const stranger = clientOf(ada, { apiKey: 'wrong', maxRetries: 0 })
  await expect(stranger.responses.create({ ...agent, input: 'x' })).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  const runs = async () => (await ada.get('/v1/tasks?type=chat')).body.total as number
  const before = await runs()
  const failing = client.responses.create({ ...agent, input: 'Fail' })
  await expect(failing).rejects.toMatchObject({ status: 502, code: 'LLM_ERROR', requestID: expect.any(String) })
  expect(await runs()).toBe(before + 1)
  const events = await Array.fromAsync(await client.responses.create({ ...agent, input: 'Fail', stream: true }))
  expect(shapeOf(events)).toEqual(['response.created', 'response.in_progress', 'response.failed'])
  expect(events.at(-1)).toMatchObject({
    response: { status: 'failed', error: { code: 'server_error', message: expect.any(String) } },
  })
})

test('the longest answer arrives whole', async () => {
  const answer = await client.responses.stream({ ...raw, input: 'Be long' }).finalResponse()
  expect(answer.output_text.length).toBe(LONG.length)
  expect(answer.output_text === LONG).toBe(true)
})

test('a call fits into what one event may hold, or fails with the reason', async () => {
  const much = await client.responses.create({ ...raw, input: 'Call with much', tools: [WEATHER] })
  expect(much.output).toMatchObject([{ type: 'function_call', arguments: JSON.stringify({ city: '界'.repeat(30_000) }) }])
  expect(await client.responses.retrieve(much.id)).toEqual(much)
  const tooMuch = client.responses.create({ ...raw, input: 'Call with too much', tools: [WEATHER] })
  await expect(tooMuch).rejects.toMatchObject({ status: 502, message: expect.stringContaining('get_weather') })
})

/** The events of a stored response. */
const replay = async (id: string, starting_after?: number) =>
  Array.fromAsync(
    await client.responses.retrieve(id, { stream: true, ...(starting_after === undefined ? {} : { starting_after }) }),
  )
const idOf = ([first]: readonly Event[]) => (first?.type === 'response.created' ? first.response.id : '')

test('a response is read again, whole and as the same events', async () => {
  const input = [{ role: 'user', content: 'What is the weather in Ulm?' } as const]
  const asked = { ...agent, input, tools: [WEATHER], metadata: { case: '8' }, instructions: 'Be kind.' }
  const events = await Array.fromAsync(await client.responses.create({ ...asked, stream: true }))
  const id = idOf(events)
  const last = events.at(-1)
  const ended = last?.type === 'response.completed' ? last.response : undefined
  expect(ended).toMatchObject({ metadata: { case: '8' }, instructions: 'Be kind.', tools: [WEATHER] })
  expect(await replay(id)).toEqual(events)
  expect(await client.responses.retrieve(id)).toEqual({ ...ended, output_text: 'I will look.' })
  expect(await replay(id, 1)).toEqual(events.slice(2))
  expect(await replay(id, events.length - 1)).toEqual([])
  const items = await Array.fromAsync(client.responses.inputItems.list(id))
  expect(items).toMatchObject([{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input[0]?.content }] }])
})

test('cut anywhere, a stream goes on with the next event', async () => {
  const whole = await Array.fromAsync(await client.responses.create({ ...agent, input: 'Count to sixty', stream: true }))
  const id = idOf(whole)
  const random = seeded(7)
  for (let round = 0; round < 20; round++) {
    const got: Event[] = []
    while (got.length < whole.length) {
      const end = got.length + Math.ceil(random() * (whole.length - got.length))
      const stream = await client.responses.retrieve(id, { stream: true, starting_after: got.length - 1 })
      for await (const event of stream) if (got.push(event) === end) break
    }
    expect(got).toEqual(whole)
  }
})

test('a running response is cut at many bytes, and what came is the beginning of the same events', async () => {
  const random = seeded(11)
  const asked = { ...agent, input: 'Count to sixty', stream: true }
  const headers = { 'content-type': 'application/json' }
  const response = await ada.fetch('/v1/responses', { method: 'POST', headers, body: JSON.stringify(asked) })
  let text = await upTo(response, 4_000)
  const id = /"id":"(resp_[^"]+)"/.exec(text)?.[1] ?? ''
  for (;;) {
    // Frames that came whole; the rest of the last one is asked for again.
    text = text.slice(0, text.lastIndexOf('\n\n') + 2)
    const numbers = [...text.matchAll(/"sequence_number":(\d+)/g)].map(([, n]) => Number(n))
    if (text.includes('event: response.completed')) break
    const more = await ada.fetch(`/v1/responses/${id}?stream=true&starting_after=${numbers.at(-1)}`)
    text += await upTo(more, 200 + random() * 6_000)
  }
  const again = await (await ada.fetch(`/v1/responses/${id}?stream=true`)).text()
  const dataOf = (stream: string) => stream.match(/^(event|data): .*$/gm)
  expect(dataOf(text)).toEqual(dataOf(again))
})

/** Mulberry32. */
function seeded(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The beginning of an answer; then its connection is cut. */
async function upTo(response: globalThis.Response, bytes: number): Promise<string> {
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk)
    if (text.length >= bytes) break
  }
  return text.slice(0, bytes)
}

test('in the background: the answer is at once, the run goes on, and is read when it has ended', async () => {
  const begun = await client.responses.create({ ...agent, input: 'Count to sixty', background: true })
  expect(begun).toMatchObject({ status: 'queued', background: true, output: [], output_text: '' })
  expect(['queued', 'in_progress']).toContain((await client.responses.retrieve(begun.id)).status)
  const events = await replay(begun.id)
  expect(shapeOf(events).slice(0, 4)).toEqual([
    'response.created',
    'response.queued',
    'response.in_progress',
    'response.output_item.added',
  ])
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(await client.responses.retrieve(begun.id)).toMatchObject({ status: 'completed', output_text: COUNT })
})

test('a cancelled response keeps what it said, and its readers are told', async () => {
  const { id } = await client.responses.create({ ...agent, input: 'Count to sixty', background: true })
  const seen: Event[] = []
  for await (const event of await client.responses.retrieve(id, { stream: true })) {
    seen.push(event)
    if (seen.length !== 8) continue
    const cancelled = await client.responses.cancel(id)
    expect(cancelled).toMatchObject({ status: 'cancelled', output: [{ status: 'incomplete' }] })
    expect(COUNT.slice(0, textOf(cancelled).length)).toBe(textOf(cancelled))
    expect(textOf(cancelled)).not.toBe('')
  }
  expect(seen.at(-1)).toMatchObject({ type: 'response.incomplete', response: { status: 'cancelled' } })
  expect(await replay(id)).toEqual(seen)
  expect(await client.responses.cancel(id)).toMatchObject({ status: 'cancelled' })
})

test('an aborted stream ends at the client, and its answer is whole', async () => {
  const abort = new AbortController()
  const asked = { ...agent, input: 'Count to sixty', stream: true } as const
  let id = ''
  for await (const event of await client.responses.create(asked, { signal: abort.signal })) {
    if (event.type === 'response.created') id = event.response.id
    if (event.type === 'response.output_text.delta') abort.abort()
  }
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 30_000 }).toBe('completed')
  expect((await client.responses.retrieve(id)).output_text).toBe(COUNT)
})

test('a deleted response is gone with everything in it', async () => {
  const { id, ...answer } = await client.responses.create({ ...agent, input: 'Hello' })
  const { session_id } = { session_id: '', ...answer }
  await client.responses.delete(id)
  await expect(client.responses.retrieve(id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  expect((await ada.get(`/v1/sessions/${session_id}`)).status).toBe(404)
  await expect(client.responses.delete(id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  const running = await client.responses.create({ ...agent, input: 'Count to sixty', background: true })
  await client.responses.delete(running.id)
  await expect(client.responses.retrieve(running.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  expect((await ada.get('/v1/tasks?type=chat')).body.tasks.filter(({ state }: { state: string }) => state === 'running')).toEqual(
    [],
  )
})

test('what is not to be stored cannot be read, and other ids are not found', async () => {
  const { id, store } = { store: true, ...(await client.responses.create({ ...agent, input: 'Hello', store: false })) }
  expect(store).toBe(false)
  const chat = await client.chat.completions.create({ ...agent, messages: [{ role: 'user', content: 'Hello' }] })
  for (const unknown of [id, chat.id.replace('chatcmpl-', 'resp_'), 'resp_1', 'x'])
    await expect(client.responses.retrieve(unknown)).rejects.toMatchObject({ status: 404, code: 'RUN_NOT_FOUND' })
  const going = client.responses.create({ ...agent, input: 'And now?', previous_response_id: id })
  await expect(going).rejects.toMatchObject({ status: 404, code: 'RUN_NOT_FOUND' })
})

test('a request that is repeated with its key begins nothing anew', async () => {
  const asked = { ...agent, input: 'Count to sixty' }
  const options = (key: string) => ({ headers: { 'idempotency-key': key } })
  const [first, second] = await Promise.all([
    client.responses.create(asked, options('a')),
    client.responses.create(asked, options('a')),
  ])
  expect(second).toEqual(first)
  const streamed = await Array.fromAsync(await client.responses.create({ ...asked, stream: true }, options('b')))
  expect(await Array.fromAsync(await client.responses.create({ ...asked, stream: true }, options('b')))).toEqual(streamed)
  const begun = await client.responses.create({ ...asked, background: true }, options('c'))
  await replay(begun.id)
  expect(await client.responses.create({ ...asked, background: true }, options('c'))).toMatchObject({
    id: begun.id,
    status: 'completed',
  })
  await expect(client.responses.create({ ...asked, input: 'Hello' }, options('a'))).rejects.toBeInstanceOf(OpenAI.ConflictError)
})

const sessionOf = (response: Response) => ({ session_id: '', ...response }).session_id
const REPEAT = 'Repeat the conversation'

test('a response goes on from another one, with its answer but without its instructions', async () => {
  const input: OpenAI.Responses.ResponseInput = [
    { role: 'developer', content: 'Be kind.' },
    { role: 'user', content: 'Hello' },
  ]
  const first = await client.responses.create({ ...raw, instructions: 'Be brief.', input })
  const second = await client.responses.create({ ...raw, input: REPEAT, previous_response_id: first.id })
  expect(second.previous_response_id).toBe(first.id)
  const seen = [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: first.output_text },
  ]
  expect(seenBy(second)).toEqual([...seen, { role: 'user', content: REPEAT }])
  expect(sessionOf(second)).toBe(sessionOf(first))
  expect((await ada.get(`/v1/sessions/${sessionOf(first)}`)).body.messages).toHaveLength(4)
  // Not the last one any more: it is gone on from as it was, in a session of its own.
  const other = await client.responses.create({ ...raw, input: REPEAT, instructions: 'New.', previous_response_id: first.id })
  expect(seenBy(other)).toEqual([
    { role: 'system', content: 'New.\n\nBe kind.' },
    ...seen.slice(1),
    { role: 'user', content: REPEAT },
  ])
  expect(sessionOf(other)).not.toBe(sessionOf(first))
  const third = await client.responses.create({ ...raw, input: `${REPEAT} again`, previous_response_id: second.id })
  expect(seenBy(third)).toHaveLength(6)
  await client.responses.delete(first.id)
  const after = await client.responses.create({ ...raw, input: REPEAT, previous_response_id: third.id })
  expect(seenBy(after).slice(0, 3)).toEqual(seen)
})

test.each(['youworker', 'youworker-offline'])('%s goes on with the results of tools that the client has run', async (model) => {
  const first = await client.responses.create({ model, input: 'What is the weather in Ulm?', tools: [WEATHER] })
  const call = first.output.find((item) => item.type === 'function_call')
  const result = { type: 'function_call_output', call_id: call?.call_id ?? '', output: 'Sunny' } as const
  const second = await client.responses.create({ model, input: [result], tools: [WEATHER], previous_response_id: first.id })
  expect(seenBy(second).slice(-3)).toEqual([
    { role: 'user', content: 'What is the weather in Ulm?' },
    { role: 'assistant', content: 'I will look.' },
    { role: 'tool', content: 'Sunny' },
  ])
  expect(await Array.fromAsync(client.responses.inputItems.list(second.id))).toMatchObject([result])
  // The question stands once in the session, and the result in no message.
  const { messages } = (await ada.get(`/v1/sessions/${sessionOf(first)}`)).body
  expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'assistant'])
  const unknown = { ...result, call_id: 'call_none' }
  const wrong = client.responses.create({ model, input: [unknown], previous_response_id: first.id })
  await expect(wrong).rejects.toMatchObject({ status: 400, param: 'input' })
  // Who does not answer a call goes on without it.
  const without = await client.responses.create({ model: raw.model, input: REPEAT, previous_response_id: first.id })
  expect(seenBy(without).at(-2)).toEqual({ role: 'assistant', content: 'I will look.' })
})

test('items of earlier responses can be named by their ids', async () => {
  const first = await client.responses.create({ ...raw, input: 'Hello' })
  const named = (id: string) => ({ type: 'item_reference', id }) as const
  const ask = (id: string, at = client) =>
    at.responses.create({ ...raw, input: [{ role: 'user', content: 'Hello' }, named(id), { role: 'user', content: REPEAT }] })
  const [message] = first.output
  expect(seenBy(await ask(message?.id ?? ''))[1]).toEqual({ role: 'assistant', content: first.output_text })
  await expect(ask(`${message?.id}0`)).rejects.toMatchObject({ status: 400, param: 'input.1' })
  await expect(ask('msg_1')).rejects.toMatchObject({ status: 400, param: 'input' })
  const eve = clientOf(await system.newPerson('eve'))
  await expect(ask(message?.id ?? '', eve)).rejects.toMatchObject({ status: 404, code: 'RUN_NOT_FOUND' })
})

test('nothing goes on from a response that has not ended', async () => {
  const { id } = await client.responses.create({ ...agent, input: 'Count to sixty', background: true })
  const going = ada.post('/v1/responses', { ...agent, input: 'And now?', previous_response_id: id })
  expect(await going).toMatchObject({ status: 409, body: { error: { code: 'CONFLICT' } } })
  // The library asks again until it has.
  const later = new OpenAI({ baseURL: `${ada.api}/v1`, apiKey: ada.key ?? '', maxRetries: 8 })
  const next = await later.responses.create({ ...raw, input: REPEAT, previous_response_id: id })
  expect(seenBy(next)[1]).toEqual({ role: 'assistant', content: COUNT })
})

test('a conversation keeps what its responses were given and answered', async () => {
  const { id } = await client.conversations.create({ metadata: { topic: 'rivers' } })
  expect(await client.conversations.retrieve(id)).toMatchObject({ id, object: 'conversation', metadata: { topic: 'rivers' } })
  const asked = { model: 'youworker', conversation: id, tools: [WEATHER] }
  const first = await client.responses.create({ ...asked, input: 'What is the weather in Ulm?' })
  expect(first.conversation).toEqual({ id })
  const call = first.output.find((item) => item.type === 'function_call')
  const result = { type: 'function_call_output', call_id: call?.call_id ?? '', output: 'Sunny' } as const
  const second = await client.responses.create({ ...asked, conversation: { id }, input: [result] })
  const chat = await ada.post('/v1/chat', { text_input: 'Hello', session_id: id.replace('conv_', ''), stream: false })
  const third = await client.responses.create({ ...raw, conversation: id, input: REPEAT })
  expect(seenBy(third).slice(-2)).toEqual([
    { role: 'assistant', content: chat.body.content },
    { role: 'user', content: REPEAT },
  ])
  const all = await Array.fromAsync(client.conversations.items.list(id, { order: 'asc' }))
  expect(all.map(({ type, ...item }) => ('role' in item ? item.role : type))).toEqual([
    'user',
    'assistant',
    'function_call',
    'function_call_output',
    'assistant',
    'user',
    'assistant',
    'user',
    'assistant',
  ])
  expect([all[1], all[2]].map((item) => item?.id)).toEqual(first.output.map((item) => item.id))
  expect(all[4]?.id).toBe(second.output[0]?.id)
  // Page by page, and from the end.
  const paged = await Array.fromAsync(client.conversations.items.list(id, { limit: 2 }))
  expect(paged.toReversed()).toEqual(all)
  const behind = await client.conversations.items.list(id, { order: 'asc', after: all[3]?.id ?? '', limit: 3 })
  expect([behind.data, behind.has_more]).toEqual([all.slice(4, 7), true])
  await expect(client.conversations.items.list(id, { after: 'msg_1' })).rejects.toMatchObject({ status: 400, param: 'after' })
  // Outside of the conversation.
  const aside = await client.responses.create({ ...raw, input: 'Hello', previous_response_id: third.id })
  expect([aside.conversation, sessionOf(aside)]).not.toEqual([{ id }, sessionOf(first)])
  expect(await client.conversations.update(id, { metadata: { topic: 'lakes' } })).toMatchObject({ metadata: { topic: 'lakes' } })
  expect(await client.conversations.delete(id)).toMatchObject({ id, deleted: true })
  await expect(client.conversations.retrieve(id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(client.responses.retrieve(first.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
})

test('a conversation begins with messages, and outlives its only response', async () => {
  const items = [
    { type: 'message', role: 'user', content: 'Hello' },
    { type: 'message', role: 'assistant', content: 'Hello!' },
  ] as const
  const { id } = await client.conversations.create({ items: [...items] })
  const first = await client.responses.create({ ...raw, conversation: id, input: REPEAT })
  const opening = items.map(({ role, content }) => ({ role, content }))
  expect(seenBy(first)).toEqual([...opening, { role: 'user', content: REPEAT }])
  await client.responses.delete(first.id)
  const left = await Array.fromAsync(client.conversations.items.list(id))
  expect(left).toMatchObject([{ role: 'assistant' }, { role: 'user' }])
  expect((await ada.get(`/v1/sessions/${id.replace('conv_', '')}`)).body.session.message_count).toBe(2)
  const chat = await ada.post('/v1/chat/completions', {
    ...raw,
    session_id: id.replace('conv_', ''),
    messages: [{ role: 'user', content: REPEAT }],
  })
  expect(JSON.parse(chat.body.choices[0].message.content)).toEqual([...opening, { role: 'user', content: REPEAT }])
  const wrong = client.conversations.create({ items: [{ type: 'message', role: 'developer', content: 'x' }] })
  await expect(wrong).rejects.toMatchObject({ status: 400, param: 'items.0' })
})
