import { randomUUID } from 'node:crypto'
import type { ConversationMessage } from '@youworker/contracts/agent/model'
import type { ErrorCode } from '@youworker/contracts/errors'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, type Replica } from '../../test-fixture.ts'
import { startModel } from '../../test-model.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
let model: Awaited<ReturnType<typeof startModel>>
let replica: Replica
/** What the model was shown at each call, and told as system. */
let seen: string[] = []
let told: string[] = []
/** Ends the answers to questions that begin with "hold". */
let release = Promise.withResolvers<void>()

beforeAll(async () => {
  fixture = await chatDatabase()
  model = await startModel(async ({ text, end, response }, { messages }) => {
    const shown = messages.filter(({ role }) => role !== 'system').map(({ content }) => content)
    seen.push(shown.join('|'))
    told.push(messages.flatMap(({ role, content }) => (role === 'system' ? [content] : [])).join('|'))
    const question = shown.at(-1) ?? ''
    if (question.startsWith('hold')) {
      text('begun ')
      await Promise.race([release.promise, new Promise((resolve) => response.once('close', resolve))])
    }
    if (response.destroyed) return
    text(`re ${question}`)
    end()
  })
  replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url })
})
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
})
beforeEach(() => {
  seen = []
  told = []
  release = Promise.withResolvers()
})

const code = (name: ErrorCode) => expect.objectContaining({ code: name })
type Retry = Omit<Parameters<Replica['services']['startRun']['retry']>[0], 'session_id' | 'message_id'>

/** A user with one session. */
function newUser() {
  const user = randomUUID()
  const { startRun, sessions, branches } = replica.services
  let session_id: string | undefined
  const ended = async (run_id: string) => (await doneOf(replica, user, run_id)).content
  const begin = async (text_input: string, more: object = {}) => {
    const input = { ...chat({ text_input, session_id, enable_tools: false }), ...more }
    const started = await startRun.start(input, testUserContext(user))
    session_id = started.session_id
    return started.run_id
  }
  const session = () => session_id ?? ''
  const messages = async (branch?: string) => (await sessions.messages(user, session(), { branch })).messages
  const find = async (content: string) => {
    const { branches: all } = await list()
    for (const { id } of all) for (const message of await messages(id)) if (message.content === content) return message.id
    throw new Error(`no message ${content}`)
  }
  const list = () => branches.list(user, { session_id: session(), limit: 50, offset: 0 })
  const beginRetry = async (content: string, retry: Retry = {}, key?: string) => {
    const context = testUserContext(user, key === undefined ? {} : { idempotencyKey: key })
    return (await startRun.retry({ session_id: session(), message_id: await find(content), ...retry }, context)).run_id
  }
  return {
    user,
    session,
    join: (id: string) => void (session_id = id),
    begin,
    ended,
    ask: async (text: string, more: object = {}) => ended(await begin(text, more)),
    beginRetry,
    retry: async (content: string, retry: Retry = {}) => ended(await beginRetry(content, retry)),
    messages,
    texts: async (branch?: string) => (await messages(branch)).map(({ content }) => content).join('|'),
    find,
    list,
    switchTo: (active_branch: string) => sessions.update(session(), { active_branch }, testUserContext(user)),
  }
}

test('regenerate, edit and switch back: the model sees the active branch, and so does who reads the session', async () => {
  const me = newUser()
  await me.ask('one')
  await me.ask('two')
  expect(await replica.services.sessions.get(me.user, me.session())).not.toHaveProperty('active_branch')
  expect((await me.messages()).filter((message) => 'siblings' in message)).toEqual([])
  expect(await me.list()).toMatchObject({ total: 1, branches: [{ id: me.session(), active: true, parent_id: null, turns: 2 }] })

  await me.retry('re two')
  expect(seen.at(-1)).toBe('one|re one|two')
  await me.retry('two', { content: 'zwei' })
  expect(seen.at(-1)).toBe('one|re one|zwei')
  await me.ask('three')
  expect(seen.at(-1)).toBe('one|re one|zwei|re zwei|three')
  expect(await me.texts()).toBe('one|re one|zwei|re zwei|three|re three')

  const { branches, total } = await me.list()
  expect(total).toBe(3)
  const [edited, again, first] = branches
  const shared = await me.find('re one')
  expect(branches).toMatchObject([
    { active: true, parent_id: me.session(), after_message_id: shared, question: 'zwei', answer: 're zwei', turns: 2 },
    { active: false, parent_id: me.session(), after_message_id: shared, question: 'two', answer: 're two', turns: 1 },
    { active: false, parent_id: null, after_message_id: null, question: 'one', answer: 're one', turns: 2 },
  ])
  const siblings = (await me.messages()).map((message) => message.siblings)
  const third = { index: 3, count: 3, previous: again?.id, next: null }
  expect(siblings).toEqual([undefined, undefined, third, third, undefined, undefined])
  expect((await me.messages(again?.id))[2]?.siblings).toEqual({ index: 2, count: 3, previous: me.session(), next: edited?.id })
  expect((await me.messages(first?.id))[3]?.siblings).toEqual({ index: 1, count: 3, previous: null, next: again?.id })

  expect(await me.switchTo(me.session())).toMatchObject({ active_branch: me.session(), message_count: 10 })
  expect(await me.texts()).toBe('one|re one|two|re two')
  await me.ask('drei')
  expect(seen.at(-1)).toBe('one|re one|two|re two|drei')
  await me.switchTo(edited?.id ?? '')
  await me.ask('four')
  expect(seen.at(-1)).toBe('one|re one|zwei|re zwei|three|re three|four')
  // What is before a branch can be asked again from it, and a branch within a branch knows its way.
  await me.retry('re three', { content: undefined })
  expect(seen.at(-1)).toBe('one|re one|zwei|re zwei|three')
  await me.retry('one', { content: 'eins' })
  expect([seen.at(-1), await me.texts()]).toEqual(['eins', 'eins|re eins'])
  expect((await me.list()).branches[0]).toMatchObject({ question: 'eins', after_message_id: null })
  // The pages of a path are as whole as those of a session without branches.
  await me.switchTo(edited?.id ?? '')
  const pages: string[] = []
  for (let after: string | null | undefined; after !== null;) {
    const page = await replica.services.sessions.messages(me.user, me.session(), { after, limit: 3 })
    pages.push(...page.messages.map(({ content }) => content))
    after = page.next
  }
  expect(pages.join('|')).toBe('one|re one|zwei|re zwei|three|re three|four|re four')
})

test('what was said before the first question, and in earlier turns of it, can be asked again', async () => {
  const opened = newUser()
  const opening = (['user', 'assistant', 'user', 'assistant'] as const).map((role, n) => ({ role, content: `o${n}` }))
  opened.join((await replica.services.sessions.create({ opening }, testUserContext(opened.user))).id)
  await opened.ask('one')
  await opened.retry('o3')
  expect([seen.at(-1), await opened.texts()]).toEqual(['o0|o1|o2', 'o0|o1|o2|re o2'])
  expect((await opened.messages()).map(({ siblings }) => siblings?.index)).toEqual([undefined, undefined, 2, 2])
  expect((await opened.messages(opened.session())).map(({ siblings }) => siblings?.index)).toEqual([
    undefined,
    undefined,
    1,
    1,
    undefined,
    undefined,
  ])
  await opened.retry('o0', { content: 'other' })
  expect(seen.at(-1)).toBe('other')

  const greeted = newUser()
  const greeting = [{ role: 'assistant' as const, content: 'Hi!' }]
  greeted.join((await replica.services.sessions.create({ opening: greeting }, testUserContext(greeted.user))).id)
  await expect(greeted.retry('Hi!')).rejects.toEqual(code('VALIDATION_ERROR'))

  const imported = newUser()
  const earlier = ['u1', 'a1', 'u2', 'a2', 'u3'].map((content, n) => ({ role: n % 2 ? 'assistant' : 'user', content }))
  await imported.ask('u3', { text_input: undefined, messages: earlier })
  await imported.retry('a2')
  expect([seen.at(-1), await imported.texts()]).toEqual(['u1|a1|u2', 'u1|a1|u2|re u2'])
  await imported.retry('re u3', {})
  expect(await imported.texts()).toBe('u1|a1|u2|a2|u3|re u3')
})

test.each(['queue', 'interrupt', 'reject'] as const)('a retry during an answer, with when_busy %s', async (when_busy) => {
  const me = newUser()
  await me.ask('one')
  await replica.services.sessions.update(me.session(), { when_busy }, testUserContext(me.user))
  const running = await me.begin('hold on')
  await waitFor(async () => seen.length === 2, { what: 'the call of the model' })
  if (when_busy === 'reject') {
    await expect(me.beginRetry('one')).rejects.toEqual(code('CONFLICT'))
    release.resolve()
    expect(await me.ended(running)).toBe('begun re hold on')
    expect((await me.list()).total).toBe(1)
    await me.retry('one')
    expect(seen.at(-1)).toBe('one')
    return
  }
  const retried = await me.beginRetry('hold on', { content: 'two' })
  if (when_busy === 'queue') {
    // What is sent now goes on from the branch that is active now, whatever becomes active before its turn comes.
    const next = await me.begin('three')
    await me.switchTo(me.session())
    const other = await me.begin('four')
    release.resolve()
    expect(await me.ended(running)).toBe('begun re hold on')
    for (const run of [retried, next, other]) await me.ended(run)
    expect(seen.slice(2)).toEqual(['one|re one|two', 'one|re one|two|re two|three', 'one|re one|hold on|begun re hold on|four'])
    return
  }
  expect(await me.ended(retried)).toBe('re two')
  expect(await me.ended(running)).toBe('begun ')
  expect(seen.at(-1)).toBe('one|re one|two')
})

test('two clients that retry at once make two branches, and one that repeats its request only one', async () => {
  const me = newUser()
  await me.ask('one')
  await me.ask('two')
  const runs = await Promise.all([me.beginRetry('two'), me.beginRetry('re two', {}, 'k'), me.beginRetry('re two', {}, 'k')])
  expect(new Set(runs).size).toBe(2)
  for (const run of runs) await me.ended(run)
  expect(seen.slice(2)).toEqual(['one|re one|two', 'one|re one|two'])
  const { branches } = await me.list()
  expect(branches.map(({ active, parent_id }) => [active, parent_id])).toEqual([
    [true, me.session()],
    [false, me.session()],
    [false, null],
  ])
  expect((await me.messages()).at(-1)?.siblings).toMatchObject({ index: 3, count: 3 })
})

test('another replica that runs or takes over a retry sees the same branch', async () => {
  const me = newUser()
  await me.ask('one')
  await me.ask('two')
  const { startRun } = fixture.replica({}, { worker: false }).services
  const context = testUserContext(me.user)
  const place = { session_id: me.session(), message_id: await me.find('two') }
  const retried = await startRun.retry({ ...place, content: 'zwei' }, context)
  const next = await startRun.start(chat({ text_input: 'three', session_id: me.session(), enable_tools: false }), context)
  for (const { run_id } of [retried, next]) await me.ended(run_id)
  expect(seen.slice(2)).toEqual(['one|re one|zwei', 'one|re one|zwei|re zwei|three'])
  const messages = ['a', 'b', 'c'].map((content, at) => ({ role: at === 1 ? 'assistant' : 'user', content }))
  await me.ended((await startRun.start(chat({ messages, enable_tools: false }), context)).run_id)
  expect(seen.at(-1)).toBe('a|b|c')
})

test('ids that are not there, other words for an answer, and too many branches are refused', async () => {
  const me = newUser()
  const [other, stranger] = [newUser(), newUser()]
  await me.ask('one')
  await other.ask('mine')
  const { startRun, branches, deletion } = replica.services
  const theirs = { session_id: me.session(), message_id: await me.find('one') }
  await expect(startRun.retry(theirs, testUserContext(stranger.user))).rejects.toEqual(code('SESSION_NOT_FOUND'))
  const list = branches.list(stranger.user, { session_id: me.session(), limit: 1, offset: 0 })
  await expect(list).rejects.toEqual(code('SESSION_NOT_FOUND'))
  const mixed = { session_id: me.session(), message_id: await other.find('mine') }
  await expect(startRun.retry(mixed, testUserContext(me.user))).rejects.toEqual(code('MESSAGE_NOT_FOUND'))
  await other.retry('mine')
  const [foreign] = (await other.list()).branches
  await expect(me.switchTo(foreign?.id ?? '')).rejects.toEqual(code('BRANCH_NOT_FOUND'))
  await expect(me.messages(foreign?.id)).rejects.toEqual(code('BRANCH_NOT_FOUND'))
  await expect(me.retry('re one', { content: 'better' })).rejects.toEqual(code('VALIDATION_ERROR'))
  expect(await me.switchTo(me.session())).not.toHaveProperty('active_branch')
  expect((await me.list()).total).toBe(1)

  await me.retry('one')
  await asAdmin(
    fixture.adminUrl,
    `insert into chat_agent.branches (session_id, number, space_id, id, from_branch, before_turn, before_position)
      select b.session_id, b.number + n + 10, b.space_id, gen_random_uuid(), b.from_branch, b.before_turn, b.before_position
      from chat_agent.branches b, generate_series(1, 497) n where b.session_id = '${me.session()}'`,
  )
  const again = { session_id: me.session(), message_id: theirs.message_id }
  await me.ended((await startRun.retry(again, testUserContext(me.user))).run_id)
  await expect(startRun.retry(again, testUserContext(me.user))).rejects.toEqual(code('VALIDATION_ERROR'))
  expect(await me.list()).toMatchObject({ total: 500 })
  await deletion.delete({ session_id: me.session(), purge: true }, testUserContext(me.user))
  const left = await asAdmin(fixture.adminUrl, `select from chat_agent.branches where space_id = '${me.user}'`)
  expect(left).toEqual([])
})

test('a branch many branches deep is read as any other', async () => {
  const me = newUser()
  await me.ask('q0')
  const path = ['q0']
  for (let n = 1; n <= 15; n += 1) {
    await me.ask(`q${n}`)
    await me.retry(`q${n}`, { content: `e${n}` })
    path.push(`e${n}`)
  }
  expect(seen.at(-1)).toBe(path.map((text) => (text === 'e15' ? text : `${text}|re ${text}`)).join('|'))
  expect(await me.texts()).toBe(path.map((text) => `${text}|re ${text}`).join('|'))
}, 60_000)

test('what the first answer was asked with holds for the next ones, unless the retry says otherwise', async () => {
  const me = newUser()
  const settings = { language: 'de', instructions: 'Be brief.', max_iterations: 3, parameters: { temperature: 0 } }
  me.join((await replica.services.sessions.create({ instructions: 'Be kind.' }, testUserContext(me.user))).id)
  await me.ask('one', settings)
  await replica.services.sessions.update(me.session(), { instructions: 'Be honest.' }, testUserContext(me.user))
  const again = await me.beginRetry('one')
  await me.ended(again)
  expect(told[0]).toMatch(/in German[^]*Be kind\.\n\nBe brief\./)
  expect(told[1]).toBe(told[0]?.replace('Be kind.', 'Be honest.'))
  const { uow } = replica.services
  const run = await uow.in([me.user]).read(({ runs }) => runs.find(again))
  expect(run).toMatchObject({ max_iterations: 3, enable_tools: false })
  const other = await me.beginRetry('one', { max_iterations: 5, enable_tools: true, language: 'fr', instructions: 'Be long.' })
  await me.ended(other)
  expect(told[2]).toMatch(/in French[^]*Be honest\.\n\nBe long\./)
  const changed = await uow.in([me.user]).read(({ runs }) => runs.find(other))
  expect(changed).toMatchObject({ max_iterations: 5, enable_tools: true })
})

const userSays = (content: string): ConversationMessage => ({ role: 'user', content })

test('a conversation of another protocol is asked again as it was, or with another last question', async () => {
  const me = newUser()
  const conversation = [userSays('c1'), { role: 'assistant' as const, content: 'a1' }, userSays('c2')]
  const plain = { conversation, plain: true, append_only: true, model: 'm' }
  await me.ask('c2', { ...plain })
  expect(seen.at(-1)).toBe('c1|a1|c2')
  await me.retry('re c2')
  expect(seen.at(-1)).toBe('c1|a1|c2')
  await me.retry('c2', { content: 'other' })
  expect([seen.at(-1), await me.texts()]).toEqual(['c1|a1|other', 'other|re other'])
})

test('responses go on from the active branch, and from any of them in a session of its own', async () => {
  const me = newUser()
  const { startRun, responses, sessions } = replica.services
  const respond = async (text_input: string, of: { previous_run_id?: string; session_id?: string } = {}) => {
    const input = { ...chat({ text_input, enable_tools: false }), conversation: [userSays(text_input)], request: {}, plain: true }
    const started = await startRun.start({ ...input, ...of }, testUserContext(me.user))
    await me.ended(started.run_id)
    return started
  }
  const first = await respond('r1')
  me.join(first.session_id)
  const second = await respond('r2', { previous_run_id: first.run_id })
  expect([seen.at(-1), second.session_id]).toEqual(['r1|re r1|r2', first.session_id])
  await me.retry('re r2', {})
  expect(seen.at(-1)).toBe('r1|re r1|r2')
  // The response is as it was, but is no longer where its session goes on.
  const third = await respond('r3', { previous_run_id: second.run_id })
  expect([seen.at(-1), third.session_id === first.session_id]).toEqual(['r1|re r1|r2|re r2|r3', false])
  await me.switchTo(me.session())
  const fourth = await respond('r4', { previous_run_id: second.run_id })
  expect([seen.at(-1), fourth.session_id]).toEqual(['r1|re r1|r2|re r2|r4', first.session_id])
  const [retried] = (await me.list()).branches
  await me.switchTo(retried?.id ?? '')
  const joined = await respond('r5', { session_id: me.session() })
  expect([seen.at(-1), joined.session_id]).toEqual(['r1|re r1|r2|re r2|r5', first.session_id])
  const turns = await responses.turns(me.user, { session_id: me.session(), order: 'asc' })
  expect(turns.parts.map(({ input, answer }) => answer?.content ?? input?.at(-1)?.content).join('|')).toBe(
    'r1|re r1|r2|re r2|r5|re r5',
  )

  // One that others stand beside and behind is erased alone.
  await responses.delete(second.run_id, testUserContext(me.user))
  expect(await me.texts()).toBe('r1|re r1|r2|re r2|r5|re r5')
  expect((await me.messages())[2]).not.toHaveProperty('siblings')
  expect(await me.texts(me.session())).toBe('r1|re r1|r4|re r4')
  expect(await sessions.get(me.user, me.session())).toMatchObject({ message_count: 8 })
})
