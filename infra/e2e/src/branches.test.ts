import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person, readEvents, textOf } from './support/person.ts'
import { COUNT, type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'
import { clientOf, raw } from './support/responses.ts'

let protocol: ProtocolSystem
let ada: Person
beforeAll(async () => {
  protocol = await startProtocolSystem()
  ada = protocol.ada
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

const REPEAT = 'Repeat the conversation'
interface Message {
  readonly id: string
  readonly role: string
  readonly content: string
  readonly siblings?: { readonly index: number; readonly count: number; readonly previous: string | null }
}
/** What the model, which repeats the conversation, was given. */
const seenBy = (answer: string) =>
  (JSON.parse(answer) as Message[]).filter(({ role }) => role !== 'system').map(({ content }) => content)
const messagesOf = async (session: string, query = '') =>
  (await ada.get(`/v1/sessions/${session}/messages${query}`)).body.messages as Message[]
const retry = (session: string, { id }: Message | undefined = UNKNOWN, body: object = {}, headers = {}) =>
  ada.post(`/v1/sessions/${session}/messages/${id}/retry`, { stream: false, ...body }, headers)
const UNKNOWN: Message = { id: '01890000-0000-7000-8000-000000000000', role: 'user', content: '' }
const plain = { enable_tools: false, stream: false }

test('an answer is regenerated as a stream, its question edited, and the way back taken: the model sees the active branch', async () => {
  const { sessionId, done } = await ada.chat(QUESTION)
  expect(done.content).toContain('ten countries')
  const asked = { text_input: REPEAT, session_id: sessionId, ...plain }
  const first = await ada.post('/v1/chat', asked)
  expect(seenBy(first.body.content)).toEqual([QUESTION, expect.stringContaining('ten countries'), REPEAT])

  const [question, answer] = await messagesOf(sessionId)
  const headers = { 'content-type': 'application/json' }
  const path = `/v1/sessions/${sessionId}/messages/${answer?.id}/retry`
  const events = await Array.fromAsync(readEvents(await ada.fetch(path, { method: 'POST', headers })))
  expect(events[0]).toMatchObject({ event: 'run', data: { session_id: sessionId } })
  expect(events.at(-1)).toMatchObject({ event: 'done', data: { metadata: { status: 'success', tool_calls: 1 } } })
  expect(textOf(events)).toContain('ten countries')

  const edited = await retry(sessionId, question, { content: 'Count', enable_tools: false })
  expect(edited).toMatchObject({ status: 200, body: { session_id: sessionId, content: COUNT } })
  expect(seenBy((await ada.post('/v1/chat', asked)).body.content)).toEqual(['Count', COUNT, REPEAT])
  const { body: list } = await ada.get(`/v1/sessions/${sessionId}/branches`)
  expect(list).toMatchObject({
    total: 3,
    branches: [
      { active: true, parent_id: sessionId, after_message_id: null, question: 'Count', turns: 2 },
      { active: false, parent_id: sessionId, question: QUESTION, answer: expect.stringContaining('ten countries'), turns: 1 },
      { active: false, id: sessionId, parent_id: null, question: QUESTION, turns: 2 },
    ],
  })
  expect((await ada.get(`/v1/sessions/${sessionId}/branches?limit=1&offset=1`)).body.branches).toEqual([list.branches[1]])

  const [one, two, three] = list.branches.toReversed().map(({ id }: { id: string }) => id)
  const whole = (await ada.get(`/v1/sessions/${sessionId}`)).body
  expect(whole).toMatchObject({ session: { active_branch: three, message_count: 10 }, tool_events: [] })
  expect(whole.messages).toEqual(await messagesOf(sessionId))
  expect(whole.messages[0]).toMatchObject({ content: 'Count', siblings: { index: 3, count: 3, previous: two, next: null } })
  const again = (await ada.get(`/v1/sessions/${sessionId}?branch=${two}`)).body
  expect([again.messages.length, again.tool_events.length, again.messages[1].siblings.index]).toEqual([2, 2, 2])
  expect(await messagesOf(sessionId, `?branch=${one}`)).toHaveLength(4)
  // Calls of tools are listed whatever branch they were made for.
  expect((await ada.get(`/v1/tool-runs?session_id=${sessionId}`)).body.total).toBe(2)

  expect((await ada.call('PATCH', `/v1/sessions/${sessionId}`, { active_branch: one })).body).toMatchObject({
    active_branch: one,
  })
  const back = await ada.post('/v1/chat', { ...asked, text_input: `${REPEAT} once more` })
  expect(seenBy(back.body.content)).toEqual([...seenBy(first.body.content), first.body.content, `${REPEAT} once more`])
})

test('a retry begins one branch however often its request comes, and the wrong ones begin none', async () => {
  const { body } = await ada.post('/v1/chat', { text_input: 'Count', ...plain })
  const session: string = body.session_id
  const [question, answer] = await messagesOf(session)
  const key = { 'idempotency-key': 'retry' }
  const [left, right] = await Promise.all([retry(session, question, {}, key), retry(session, question, {}, key)])
  expect([left.status, left.body.run_id]).toEqual([200, right.body.run_id])
  expect((await retry(session, question, { content: 'x' }, key)).body).toMatchObject(failure('IDEMPOTENCY_MISMATCH'))

  const wrong = [
    [retry(session, answer, { content: 'Say this' }), 'VALIDATION_ERROR'],
    [retry(session, question, { content: ' \n' }), 'VALIDATION_ERROR'],
    [retry(session, question, { content: 'é'.repeat(33 * 1024) }), 'PAYLOAD_TOO_LARGE'],
    [retry(session), 'MESSAGE_NOT_FOUND'],
    [retry(session, { ...UNKNOWN, id: 'x' }), 'VALIDATION_ERROR'],
    [retry('nowhere', question), 'SESSION_NOT_FOUND'],
    [ada.get(`/v1/sessions/${session}?branch=${UNKNOWN.id}`), 'BRANCH_NOT_FOUND'],
    [ada.get(`/v1/sessions/${session}/branches?limit=0`), 'VALIDATION_ERROR'],
  ] as const
  for (const [answering, code] of wrong) expect((await answering).body).toMatchObject(failure(code))
  expect((await ada.get(`/v1/sessions/${session}/branches`)).body.total).toBe(2)

  // The run goes on, whoever waits for it.
  const later = await retry(session, question, {}, { prefer: 'respond-async' })
  expect([later.status, later.body]).toMatchObject([202, { session_id: session, run_id: expect.any(String) }])
  const log = await Array.fromAsync(readEvents(await ada.fetch(`${later.headers.get('location')}/events`)))
  expect(textOf(log)).toBe(COUNT)
})

test('a conversation of the other protocol is the branch that is active, and its branches are erased with it', async () => {
  const client = clientOf(ada)
  const { id: conversation } = await client.conversations.create({ items: [{ type: 'message', role: 'user', content: 'Hello' }] })
  const session = conversation.replace('conv_', '')
  await client.responses.create({ ...raw, input: 'Count', conversation })
  const question = (await messagesOf(session)).find(({ content }) => content === 'Count')
  const other = await retry(session, question, { content: REPEAT })
  expect(seenBy(other.body.content)).toEqual(['Hello', REPEAT])
  const next = await client.responses.create({ ...raw, input: `${REPEAT} again`, conversation })
  expect(seenBy(next.output_text)).toEqual(['Hello', REPEAT, other.body.content, `${REPEAT} again`])
  const items = await Array.fromAsync(client.conversations.items.list(conversation, { order: 'asc' }))
  expect(items.map((item) => (item.type === 'message' && 'text' in item.content[0]! ? item.content[0].text : ''))).toEqual([
    'Hello',
    REPEAT,
    other.body.content,
    `${REPEAT} again`,
    next.output_text,
  ])
  const [first] = (await ada.get(`/v1/sessions/${session}/branches`)).body.branches
  await client.conversations.delete(conversation)
  expect((await ada.get(`/v1/sessions/${session}/branches`)).body).toMatchObject(failure('SESSION_NOT_FOUND'))
  expect((await ada.get(`/v1/runs/${first.id}`)).body).toMatchObject(failure('RUN_NOT_FOUND'))
})
