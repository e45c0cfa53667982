import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { COUNT, type ProtocolSystem, startProtocolSystem } from './support/protocol-system.ts'
import { agent, clientOf, raw, type Response, seenBy, WEATHER } from './support/responses.ts'

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  protocol = await startProtocolSystem()
  ada = protocol.ada
  client = clientOf(ada)
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

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
  const eve = clientOf(await protocol.system.newPerson('eve'))
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
