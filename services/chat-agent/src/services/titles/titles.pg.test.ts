import { randomUUID } from 'node:crypto'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, type Replica } from '../../test-fixture.ts'
import { refuses, type Reply, says, startModel } from '../../test-model.ts'

const QUESTION = 'How far is the moon from here?'
const TITLE = 'Distance to the moon'
const isTitle = ({ messages }: Parameters<Reply>[1]) => messages[0]?.content.startsWith('Write a title') === true

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

/** A model that answers every question, and a request for a title as `title` does. */
async function modelOf(title: Reply) {
  const titles: string[] = []
  const reply: Reply = async (answer, asked, headers) => {
    if (!isTitle(asked)) return says('Far away.')(answer, asked, headers)
    titles.push(asked.messages[1]?.content ?? '')
    await title(answer, asked, headers)
  }
  const model = await startModel(reply)
  return { url: model.url, titles, [Symbol.asyncDispose]: () => model[Symbol.asyncDispose]() }
}

const replicaOf = (model: { url: string }, env: Record<string, string> = {}) =>
  fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, AGENT__TITLES: 'model', ...env })

async function ask({ services }: Replica, user: string, more: object = {}, settings: object = {}) {
  const input = { ...chat({ text_input: QUESTION, enable_tools: false, ...more }), ...settings }
  return services.startRun.start(input, testUserContext(user))
}

const titleOf = async ({ services }: Replica, user: string, id: string) => (await services.sessions.get(user, id)).title
const jobs = (user: string) =>
  asAdmin<{ kind: string }>(fixture.adminUrl, `select kind from chat_agent.jobs where space_id = '${user}' and kind = 'title'`)
const untilOver = (user: string) => waitFor(async () => (await jobs(user)).length === 0, { what: 'the end of the title job' })

test('after the first answer the model writes a title, once; until then it is the first words', async () => {
  await using model = await modelOf(says(`"${TITLE}."\nMore.`))
  await using replica = replicaOf(model)
  const user = randomUUID()
  const { run_id, session_id } = await ask(replica, user)
  const done = await doneOf(replica, user, run_id)
  expect(done.metadata.session_title).toBe(QUESTION)
  await waitFor(async () => (await titleOf(replica, user, session_id)) === TITLE, { what: 'the title of the model' })
  await untilOver(user)
  const again = await ask(replica, user, { session_id })
  expect((await doneOf(replica, user, again.run_id)).metadata.session_title).toBe(TITLE)
  expect(await jobs(user)).toEqual([])
  expect(model.titles).toEqual([`Question:\n${QUESTION}\n\nAnswer:\nFar away.`])
  const [row] = await asAdmin<{ title: Buffer }>(
    fixture.adminUrl,
    `select title from chat_agent.sessions where id = '${session_id}'`,
  )
  expect(row?.title.toString('latin1')).not.toContain('moon')
})

test('a title of the user stays, also one that they give while the model writes', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  await using model = await modelOf(async (...all) => {
    asked.resolve()
    await answer.promise
    await says(TITLE)(...all)
  })
  await using replica = replicaOf(model)
  const user = randomUUID()
  const { sessions } = replica.services
  const context = testUserContext(user)
  const named = await sessions.create({ title: 'Mine' }, context)
  const first = await ask(replica, user, { session_id: named.id })
  await doneOf(replica, user, first.run_id)
  expect([await jobs(user), await titleOf(replica, user, named.id)]).toEqual([[], 'Mine'])

  const { run_id, session_id } = await ask(replica, user)
  await doneOf(replica, user, run_id)
  await asked.promise
  await sessions.update(session_id, { title: 'Mine too' }, context)
  answer.resolve()
  await untilOver(user)
  expect(await titleOf(replica, user, session_id)).toBe('Mine too')
})

test('where the model fails the first words stay, and it is not asked again', async () => {
  for (const fails of [refuses(500, 'no'), says('""')]) {
    await using model = await modelOf(fails)
    await using replica = replicaOf(model)
    const user = randomUUID()
    const { run_id, session_id } = await ask(replica, user)
    await doneOf(replica, user, run_id)
    await untilOver(user)
    await doneOf(replica, user, (await ask(replica, user, { session_id })).run_id)
    expect([await jobs(user), await titleOf(replica, user, session_id), model.titles.length]).toEqual([[], QUESTION, 1])
  }
})

test('requests of other protocols, and those of an installation that wants words, cost no further call', async () => {
  await using model = await modelOf(says(TITLE))
  await using replica = replicaOf(model)
  const user = randomUUID()
  await doneOf(replica, user, (await ask(replica, user, {}, { append_only: true })).run_id)
  expect(await jobs(user)).toEqual([])
  await using wordy = replicaOf(model, { AGENT__TITLES: 'words' })
  await replica[Symbol.asyncDispose]()
  await doneOf(wordy, user, (await ask(wordy, user)).run_id)
  expect([await jobs(user), model.titles]).toEqual([[], []])
})

test('a title whose process died is written by another one; that of an erased session is not', async () => {
  const asked = Promise.withResolvers<void>()
  let count = 0
  await using model = await modelOf(async (...all) => {
    count += 1
    if (count === 1) asked.resolve()
    else await says(TITLE)(...all)
  })
  const first = replicaOf(model)
  const user = randomUUID()
  const { run_id, session_id } = await ask(first, user)
  await doneOf(first, user, run_id)
  await asked.promise
  await first.die()
  await asAdmin(fixture.adminUrl, `update chat_agent.jobs set lease_until = now() where space_id = '${user}'`)
  await using second = replicaOf(model)
  await waitFor(async () => (await titleOf(second, user, session_id)) === TITLE, { what: 'the title' })
  await untilOver(user)
  expect(count).toBe(2)

  await using waiting = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, AGENT__TITLES: 'model' }, { worker: false })
  const other = await ask(second, user)
  await doneOf(second, user, other.run_id)
  await waiting.services.deletion.delete({ session_id: other.session_id, purge: true }, testUserContext(user))
  expect(await jobs(user)).toEqual([])
})
