import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'
import type OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { type ProtocolSystem, startProtocolSystem } from './support/protocol-system.ts'
import { agent, clientOf, type Event, numbersOf, raw, type Response, seenBy, shapeOf } from './support/responses.ts'

const THOUGHT = 'Which greeting is right for this hour? 🙂 A short one.'
const ANSWER = 'Good day to you.'
const THINKS = { reasoning: { effort: 'low', summary: 'auto' } } as const
const REPEAT = 'Repeat the conversation'

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  const time = { name: 'current_datetime', arguments: {} }
  protocol = await startProtocolSystem([
    { match: { contains: 'Greet' }, reply: { thinking: THOUGHT, text: ANSWER, tokens_per_second: 200 } },
    { match: { contains: 'Be quick' }, reply: { thinking: 'Hm.', text: 'Yes.' } },
    { match: { contains: 'Look twice', last_role: 'user' }, reply: { thinking: 'First.', tool_calls: [time] } },
    { match: { contains: 'Look twice' }, reply: { thinking: 'Then.', text: ANSWER } },
    {
      match: { contains: 'Say and look', last_role: 'user' },
      reply: { thinking: 'I need the time.', text: 'I will look. ', tool_calls: [time] },
    },
    { match: { contains: 'Say and look' }, reply: { thinking: 'Now I know it.', text: ANSWER } },
    { match: { contains: 'Ponder' }, reply: { thinking: `${THOUGHT} `.repeat(40), text: ANSWER, tokens_per_second: 50 } },
  ])
  ada = protocol.ada
  client = clientOf(ada)
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

const items = ({ output, id }: Response) =>
  output.map((item) => {
    const number = item.id?.replace(`_${id.replace('resp_', '')}`, '')
    if (item.type === 'reasoning') return [number, item.status, item.summary.map(({ text }) => text).join('|')]
    return [number, 'status' in item && item.status, item.type === 'message' && textIn(item)]
  })
const textIn = ({ content: [part] }: OpenAI.Responses.ResponseOutputMessage) => (part?.type === 'output_text' ? part.text : '')
const streamOf = async (asked: OpenAI.Responses.ResponseCreateParamsNonStreaming) =>
  Array.fromAsync(await client.responses.create({ ...asked, stream: true }))
const replay = async (id: string, starting_after?: number) =>
  Array.fromAsync(
    await client.responses.retrieve(id, { stream: true, ...(starting_after === undefined ? {} : { starting_after }) }),
  )
const endOf = (events: readonly Event[]): Response => {
  const last = events.at(-1)
  if (last?.type === 'response.completed' || last?.type === 'response.incomplete') return last.response
  throw new Error(`ended with ${last?.type}`)
}

test('what the model thinks is an item before its message, for who asks for it, also later', async () => {
  const whole = await client.responses.create({ ...raw, ...THINKS, input: 'Greet me.' })
  const expected = [
    ['rs_0', 'completed', THOUGHT],
    ['msg_0', 'completed', ANSWER],
  ]
  expect([items(whole), whole.output_text]).toEqual([expected, ANSWER])
  expect(await client.responses.retrieve(whole.id)).toEqual(whole)
  for (const reasoning of [{ effort: 'high' }, { summary: 'detailed' }] as const)
    expect(items(await client.responses.create({ ...raw, reasoning, input: 'Greet me.' }))).toEqual(expected)
  for (const reasoning of [null, {}, { effort: 'none' }, { effort: 'none', summary: 'auto' }] as const) {
    const silent = await client.responses.create({ ...raw, reasoning, input: 'Greet me.' })
    expect([items(silent), JSON.stringify(await client.responses.retrieve(silent.id)).includes('Which')]).toEqual([
      [['msg_0', 'completed', ANSWER]],
      false,
    ])
  }
})

test('a stream brings its events in the order of the protocol, and the same ones again from anywhere', async () => {
  const events = await streamOf({ ...raw, ...THINKS, input: 'Greet me.' })
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.reasoning_summary_part.added',
    'response.reasoning_summary_text.delta',
    'response.reasoning_summary_text.done',
    'response.reasoning_summary_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const placed = events.flatMap((event) => ('output_index' in event ? [[event.type, event.output_index] as const] : []))
  expect(placed.map(([type, index]) => [type, index])).toEqual(
    placed.map(([type], n) => [type, n < placed.findIndex(([name]) => name === 'response.content_part.added') - 1 ? 0 : 1]),
  )
  const deltas = events.flatMap((event) => (event.type === 'response.reasoning_summary_text.delta' ? [event.delta] : []))
  expect([deltas.length > 5, deltas.join('')]).toEqual([true, THOUGHT])
  const ended = endOf(events)
  const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []))
  expect(done).toEqual(ended.output)
  for (let n = -1; n < events.length; n += 7) expect(await replay(ended.id, n)).toEqual(events.slice(n + 1))
  const { output_text: _text, ...stored } = await client.responses.retrieve(ended.id)
  expect(stored).toEqual(ended)
  const read = await client.responses.stream({ ...raw, ...THINKS, input: 'Greet me.' }).finalResponse()
  expect(items(read)).toEqual(items(ended))
})

test('each call of the model thinks anew; the message goes on behind thoughts within it', async () => {
  const twice = await streamOf({ ...agent, ...THINKS, input: 'Look twice' })
  expect(items(endOf(twice))).toEqual([
    ['rs_0', 'completed', 'First.'],
    ['rs_1', 'completed', 'Then.'],
    ['msg_0', 'completed', ANSWER],
  ])
  const said = await streamOf({ ...agent, ...THINKS, input: 'Say and look' })
  const response = endOf(said)
  expect(items(response)).toEqual([
    ['rs_0', 'completed', 'I need the time.'],
    ['msg_0', 'completed', `I will look. ${ANSWER}`],
    ['rs_1', 'completed', 'Now I know it.'],
  ])
  for (const events of [twice, said]) {
    const { id, output } = endOf(events)
    const added = events.flatMap((event) => (event.type === 'response.output_item.added' ? [event] : []))
    expect(added.map(({ item, output_index }) => [item?.id, output_index])).toEqual(output.map((item, n) => [item.id, n]))
    expect(await replay(id)).toEqual(events)
    expect((await client.responses.retrieve(id)).output).toEqual(output)
    const read = await client.responses.stream({ response_id: id }).finalResponse()
    expect(items(read)).toEqual(items(endOf(events)))
  }
})

test('who goes on gets thoughts of its own, and no model is given those before', async () => {
  const first = await client.responses.create({ ...raw, ...THINKS, input: 'Greet me.' })
  const chained = { ...raw, ...THINKS, input: 'Greet me again.', previous_response_id: first.id }
  const second = await client.responses.create(chained)
  expect(items(second).map(([number, , text]) => [number, text])).toEqual([
    ['rs_0', THOUGHT],
    ['msg_0', ANSWER],
  ])
  const seen = await client.responses.create({ ...raw, input: REPEAT, previous_response_id: second.id })
  expect(seenBy(seen).map(({ content }) => content)).toEqual(['Greet me.', ANSWER, 'Greet me again.', ANSWER, REPEAT])
  const question = { role: 'user', content: REPEAT } as const
  const given = await client.responses.create({ ...raw, input: [...(second.output as OpenAI.Responses.ResponseInput), question] })
  expect(seenBy(given).map(({ content }) => content)).toEqual([ANSWER, REPEAT])
  const references = second.output.map(({ id }) => ({ type: 'item_reference', id: id ?? '' }) as const)
  const named = await client.responses.create({ ...raw, input: [...references, question] })
  expect(seenBy(named).map(({ content }) => content)).toEqual([ANSWER, REPEAT])
})

test('a conversation lists them in their order', async () => {
  const { id: conversation } = await client.conversations.create()
  const shown = await client.responses.create({ ...raw, ...THINKS, conversation, input: 'Greet me.' })
  await client.responses.create({ ...raw, conversation, input: 'Greet me too.' })
  const listed = await Array.fromAsync(client.conversations.items.list(conversation, { order: 'asc', limit: 2 }))
  expect(listed.map(({ type }) => type)).toEqual(['message', 'reasoning', 'message', 'message', 'message'])
  expect(listed.slice(1, 3)).toEqual(shown.output)
  const newest = await Array.fromAsync(client.conversations.items.list(conversation))
  expect(newest).toEqual(listed.toReversed())
})

test('many responses that show thoughts are listed, and named by their items, without a warning of Node.js', async () => {
  const warnings: string[] = []
  const note = ({ message }: Error) => void warnings.push(message)
  process.on('warning', note)
  const { id: conversation } = await client.conversations.create()
  const ids: string[] = []
  for (let n = 0; n < 12; n += 1) {
    const { output } = await client.responses.create({ ...raw, ...THINKS, conversation, input: `Be quick ${n}` })
    ids.push(...output.map(({ id }) => id ?? ''))
  }
  const listed = await Array.fromAsync(client.conversations.items.list(conversation, { order: 'asc', limit: 100 }))
  expect(
    listed.flatMap((item) => (item.type === 'reasoning' || ('role' in item && item.role === 'assistant') ? item.id : [])),
  ).toEqual(ids)
  const input = [...ids.map((id) => ({ type: 'item_reference', id }) as const), { role: 'user', content: REPEAT } as const]
  expect(seenBy(await client.responses.create({ ...raw, input }))).toHaveLength(13)
  // They are told on the next turn.
  await new Promise(setImmediate)
  process.off('warning', note)
  expect(warnings).toEqual([])
})

test('a response that is cancelled while it thinks has what it thought so far', async () => {
  const { id } = await client.responses.create({ ...raw, ...THINKS, input: 'Ponder', background: true })
  const seen: Event[] = []
  for await (const event of await client.responses.retrieve(id, { stream: true })) {
    seen.push(event)
    if (seen.length === 10) await client.responses.cancel(id)
  }
  const ended = endOf(seen)
  const [[number, status, text] = []] = items(ended)
  expect([ended.status, ended.output.length, number, status]).toEqual(['cancelled', 1, 'rs_0', 'incomplete'])
  expect(`${THOUGHT} `.repeat(40).startsWith(`${text}`)).toBe(true)
  expect(shapeOf(seen).slice(-4)).toEqual([
    'response.reasoning_summary_text.done',
    'response.reasoning_summary_part.done',
    'response.output_item.done',
    'response.incomplete',
  ])
  expect(await replay(id)).toEqual(seen)
})

test('other clients of the protocol read them', async () => {
  const model = createOpenAI({ baseURL: `${ada.api}/v1`, apiKey: ada.key ?? '' }).responses('youworker-offline')
  const providerOptions = { openai: { forceReasoning: true, reasoningEffort: 'low', reasoningSummary: 'auto' } }
  const whole = await generateText({ model, prompt: 'Greet me.', providerOptions })
  expect([whole.reasoningText, whole.text]).toEqual([THOUGHT, ANSWER])
  const next = [{ role: 'user' as const, content: 'Greet me.' }, ...whole.response.messages]
  const again = await generateText({ model, messages: [...next, { role: 'user', content: REPEAT }], providerOptions })
  expect(JSON.parse(again.text)).toMatchObject([{ content: 'Greet me.' }, { content: ANSWER }, { content: REPEAT }])
  const streamed = streamText({ model, prompt: 'Greet me.', providerOptions })
  expect([await streamed.reasoningText, await streamed.text]).toEqual([THOUGHT, ANSWER])
  const chat = new ChatOpenAI({
    model: 'youworker-offline',
    apiKey: ada.key ?? '',
    configuration: { baseURL: `${ada.api}/v1` },
    useResponsesApi: true,
    modelKwargs: THINKS,
  })
  const { contentBlocks, text } = await chat.invoke('Greet me.')
  expect([text, contentBlocks.find(({ type }) => type === 'reasoning')]).toMatchObject([ANSWER, { reasoning: THOUGHT }])
})
