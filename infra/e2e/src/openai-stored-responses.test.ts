import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { COUNT, type ProtocolSystem, startProtocolSystem } from './support/protocol-system.ts'
import { agent, clientOf, type Event, numbersOf, type Response, shapeOf, WEATHER } from './support/responses.ts'

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  protocol = await startProtocolSystem()
  ada = protocol.ada
  client = clientOf(ada)
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

const textOf = ({ output: [item] }: Response) =>
  item?.type === 'message' && item.content[0]?.type === 'output_text' ? item.content[0].text : ''

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
