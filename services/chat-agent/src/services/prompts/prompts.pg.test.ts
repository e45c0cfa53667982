import { testUserContext } from '@youworker/messaging/requests/test-context'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '@youworker/test-kit/wait-for'
import { chat, chatDatabase, doneOf, entriesOf, type Replica } from '../../test-fixture.ts'
import { type Reply, says, startModel } from '../../test-model.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
let model: Awaited<ReturnType<typeof startModel>>
let replica: Replica
const asked: Parameters<Reply>[1][] = []
beforeAll(async () => {
  fixture = await chatDatabase()
  model = await startModel((answer, request, headers) => {
    asked.push(request)
    return says('Fine.')(answer, request, headers)
  })
  replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url })
})
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
})
beforeEach(() => {
  fixture.groups.isAway = false
  fixture.groups.asked = 0
})

/** Asks, and returns the system prompt that the model got, and the end of the run. */
async function promptOf(user: string, input: object) {
  const started = await replica.services.startRun.start(chat({ text_input: 'Hello', ...input }), testUserContext(user))
  const done = await doneOf(replica, user, started.run_id)
  return { ...started, done, prompt: asked.at(-1)?.messages[0]?.content ?? '' }
}

function member(user: string, instructions: string | null) {
  const group_id = randomUUID()
  fixture.groups.prompts.set(`${user} ${group_id}`, { name: 'Crew {{user}}', instructions })
  return group_id
}

test('answers of a session get the instructions of its group, then its own, then those of the request; variables are text', async () => {
  const user = randomUUID()
  const group_id = member(user, 'GROUP {{group}} {{date}} {{language}} {{other}}')
  const { sessions } = replica.services
  const instructions = 'SESSION of {{user}}'
  const session = await sessions.create({ external_id: 'with-group', group_id, instructions }, testUserContext(user))
  expect(session).toMatchObject({ group_id, instructions })
  const own = { session_id: session.id, instructions: 'REQUEST {{user}}', language: 'de' }
  const { prompt, run_id } = await promptOf(user, own)
  const today = new Date().toISOString().slice(0, 10)
  expect(prompt).toContain(`GROUP Crew {{user}} ${today} German {{other}}\n\nSESSION of ada\n\nREQUEST {{user}}`)
  expect(prompt.startsWith('You are YouWorker')).toBe(true)
  const { steps } = await replica.services.steps.list(user, { run_id, include: 'content', after: 0, limit: 5 })
  expect(steps[0]).toMatchObject({ content: { prompt: [{ role: 'system', content: prompt }, { content: 'Hello' }], cut: false } })

  const [question] = (await sessions.messages(user, session.id)).messages
  await sessions.update(session.id, { instructions: 'NEWER of {{user}}' }, testUserContext(user))
  const retry = { session_id: session.id, message_id: question?.id ?? '' }
  await doneOf(replica, user, (await replica.services.startRun.retry(retry, testUserContext(user))).run_id)
  expect(asked.at(-1)?.messages[0]?.content).toBe(prompt.replace('SESSION', 'NEWER'))

  expect((await promptOf(user, { group_id })).prompt).toContain('the language of the question {{other}}')
  const plain = await promptOf(user, {})
  expect(plain.prompt).not.toContain('GROUP')
  expect(fixture.groups.asked).toBe(6)

  await sessions.update(session.id, { group_id: null }, testUserContext(user))
  expect((await promptOf(user, { session_id: session.id })).prompt).not.toContain('GROUP')
  expect(await sessions.update(session.id, { group_id }, testUserContext(user))).toMatchObject({ group_id })
})

test('who is not in a group gets GROUP_NOT_FOUND; who leaves it keeps the session without its instructions, and is told', async () => {
  const [user, other] = [randomUUID(), randomUUID()]
  const group_id = member(user, 'GROUP')
  const { sessions, startRun } = replica.services
  const theirs = await sessions.create({}, testUserContext(other))
  const refused = { code: 'GROUP_NOT_FOUND' }
  await expect(sessions.create({ group_id }, testUserContext(other))).rejects.toMatchObject(refused)
  await expect(sessions.update(theirs.id, { group_id }, testUserContext(other))).rejects.toMatchObject(refused)
  await expect(startRun.start(chat({ text_input: 'Hi', group_id }), testUserContext(other))).rejects.toMatchObject(refused)
  const another = { text_input: 'Hi', group_id, session_id: (await sessions.create({}, testUserContext(user))).id }
  await expect(startRun.start(chat(another), testUserContext(user))).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })

  const { session_id } = await promptOf(user, { group_id })
  fixture.groups.prompts.clear()
  const { prompt, done } = await promptOf(user, { session_id })
  expect([prompt.includes('GROUP'), done.metadata.status]).toEqual([false, 'success'])
  expect(done.logs).toContainEqual({ level: 'info', msg: expect.stringContaining('no longer in the group') })
  expect(await sessions.get(user, session_id)).toMatchObject({ group_id })
})

test('an answer waits for a group that does not answer, and does not do without its instructions', async () => {
  const user = randomUUID()
  const group_id = member(user, 'GROUP')
  const { session_id } = await promptOf(user, { group_id })
  fixture.groups.isAway = true
  const { run_id } = await replica.services.startRun.start(chat({ text_input: 'And?', session_id }), testUserContext(user))
  const isSaid = async () => JSON.stringify(await entriesOf(replica, user, run_id)).includes('group service does not answer')
  await waitFor(isSaid, { what: 'the word that it waits' })
  fixture.groups.isAway = false
  expect((await doneOf(replica, user, run_id)).metadata.status).toBe('success')
  expect(asked.at(-1)?.messages[0]?.content).toContain('GROUP')
})
