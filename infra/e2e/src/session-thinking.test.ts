import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { type ProtocolSystem, startProtocolSystem } from './support/protocol-system.ts'

const THOUGHT = 'Which greeting is right for this hour? 🙂'
const ANSWER = 'Good day to you.'
const MUCH = Array.from({ length: 60_000 }, (_, n) => String.fromCharCode(0x4e00 + (n % 5_000))).join('')

/** Ten calls of the model with it are half of what is read for one page, and a little more. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.repeat(2_300)

let protocol: ProtocolSystem
let ada: Person
beforeAll(async () => {
  const time = { name: 'current_datetime', arguments: {} }
  protocol = await startProtocolSystem([
    { match: { contains: 'Greet' }, reply: { thinking: THOUGHT, text: ANSWER } },
    { match: { contains: 'Look twice', last_role: 'user' }, reply: { thinking: 'First.', tool_calls: [time] } },
    { match: { contains: 'Look twice' }, reply: { thinking: 'Then.', text: ANSWER } },
    {
      match: { contains: 'Ponder' },
      reply: { thinking: `${THOUGHT} `.repeat(10), text: 'x'.repeat(400), tokens_per_second: 50 },
    },
    { match: { contains: 'Go on' }, reply: { thinking: LETTERS, text: '.', tool_calls: [time] } },
    { match: { contains: 'Be long 0' }, reply: { thinking: `0${MUCH}`, text: `0${MUCH}` } },
    { match: { contains: 'Be long' }, reply: { thinking: `n${MUCH}`, text: `n${MUCH}` } },
  ])
  ada = protocol.ada
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

interface Shown {
  readonly id: string
  readonly role: string
  readonly content: string
  readonly thinking?: string
}
const ask = async (text: string, more: object = {}) => {
  const { body } = await ada.post('/v1/chat', { text_input: text, enable_tools: false, stream: false, ...more })
  return { session: `/v1/sessions/${body.session_id}`, ...body } as { session: string; session_id: string; run_id: string }
}
const messagesOf = async (path: string): Promise<Shown[]> => (await ada.get(path)).body.messages
const thoughtsIn = async (path: string) => (await messagesOf(path)).map(({ thinking }) => thinking)

test('what a model thought is with its answers for who asks, whether or not the run showed it', async () => {
  const { session, session_id } = await ask('Greet me.')
  await ask('Greet me again.', { session_id, show_thinking: true })
  await ask('Look twice', { session_id, enable_tools: true })
  await ask('Hello?', { session_id })
  const thought = [undefined, THOUGHT, undefined, THOUGHT, undefined, 'First.\n\nThen.', undefined, undefined]
  for (const path of [session, `${session}/messages`, session.replace('/v1/', '/v1/chat/')]) {
    expect(await thoughtsIn(`${path}?include=thinking`)).toEqual(thought)
    expect(JSON.stringify((await ada.get(path)).body)).not.toContain('thinking')
  }
  const pages: Shown[] = []
  for (let after = ''; ;) {
    const { body } = await ada.get(`${session}/messages?include=thinking&limit=3${after}`)
    pages.push(...body.messages)
    if (body.next_after === undefined) break
    after = `&after=${body.next_after}`
  }
  expect(pages).toEqual(await messagesOf(`${session}?include=thinking`))
  for (const path of [session, `${session}/messages`])
    expect((await ada.get(`${path}?include=content`)).body).toMatchObject({
      error: { code: 'VALIDATION_ERROR', param: 'include' },
    })
})

test('each branch has its own, and an answer that was stopped has what was thought before it', async () => {
  const { session, session_id } = await ask('Greet me.')
  const [question] = await messagesOf(session)
  await ada.post(`${session}/messages/${question?.id}/retry`, { content: 'Look twice', enable_tools: true, stream: false })
  expect(await thoughtsIn(`${session}?include=thinking`)).toEqual([undefined, 'First.\n\nThen.'])
  expect(await thoughtsIn(`${session}?include=thinking&branch=${session_id}`)).toEqual([undefined, THOUGHT])

  const pondering = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: 'Ponder', enable_tools: false }),
  })
  const stream = `${await firstWords(pondering)}`
  const { run_id, session_id: other } = JSON.parse(/^data: (.*run_id.*)$/m.exec(stream)?.[1] ?? '{}') as Record<string, string>
  await ada.post(`/v1/runs/${run_id}/stop`)
  const answered = () => messagesOf(`/v1/sessions/${other}?include=thinking`)
  await expect.poll(async () => (await answered()).length, { timeout: 20_000 }).toBe(2)
  const [, partial] = await answered()
  expect([partial?.content.startsWith('x'), partial?.thinking]).toEqual([true, `${THOUGHT} `.repeat(10)])
}, 60_000)

/** Of an answer as a stream, up to its first token. */
async function firstWords(response: Response): Promise<string> {
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk)
    if (text.includes('event: token')) break
  }
  return text
}

test('the longest answer has its thoughts, and many of them come in pages, none lost', async () => {
  const { session, session_id } = await ask('Be long 0')
  await ask('Be long 1', { session_id })
  const messages = await messagesOf(`${session}?include=thinking`)
  expect(messages.map(({ content, thinking }) => (thinking ? [content === thinking, thinking.at(0)] : content))).toEqual([
    'Be long 0',
    [true, '0'],
    'Be long 1',
    [true, 'n'],
  ])
  const looping = await ask('Go on', { enable_tools: true, max_iterations: 10 })
  for (let n = 0; n < 2; n += 1) await ask('Go on', { enable_tools: true, max_iterations: 10, session_id: looping.session_id })
  const first = await ada.get(`${looping.session}/messages?include=thinking`)
  expect(first.body.messages.length).toBeLessThan(6)
  const all = await messagesOf(`${looping.session}?include=thinking`)
  expect(all.map(({ role, content }) => (role === 'assistant' ? content : role))).toEqual(
    Array.from({ length: 3 }, () => ['user', '.'.repeat(10)]).flat(),
  )
  for (const { thinking = '' } of all.filter(({ role }) => role === 'assistant'))
    expect([thinking.startsWith(LETTERS), thinking.length, thinking.endsWith('they reached the most that is shown.)')]).toEqual([
      true,
      64 * 1024,
      true,
    ])
}, 60_000)

test('nobody else gets them; with the session they are gone and come back, until it is erased', async () => {
  const eve = await protocol.system.newPerson('eve')
  const { session, run_id } = await ask('Greet me.')
  for (const path of [session, `${session}/messages`])
    expect((await eve.get(`${path}?include=thinking`)).body).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
  const erased = async () =>
    expect([
      (await ada.get(`${session}?include=thinking`)).status,
      (await ada.get(`/v1/runs/${run_id}/steps?include=content`)).status,
    ]).toEqual([404, 404])
  expect((await ada.call('DELETE', session)).status).toBe(204)
  await erased()
  expect((await ada.post(`${session}/restore`)).status).toBe(200)
  expect(await thoughtsIn(`${session}?include=thinking`)).toEqual([undefined, THOUGHT])
  expect((await ada.call('DELETE', `${session}?purge=true`)).status).toBe(204)
  await erased()
  expect((await ada.post(`${session}/restore`)).status).toBe(404)
})
