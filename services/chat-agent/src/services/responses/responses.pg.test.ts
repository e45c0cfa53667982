import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConversationMessage } from '@youworker/contracts/agent/model'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, type Replica, textOf } from '../../test-fixture.ts'
import { says, startModel } from '../../test-model.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture[Symbol.asyncDispose]())

interface Asked {
  readonly conversation: ConversationMessage[]
  readonly previous_run_id?: string
}

const start = ({ services }: Replica, user: string, { conversation, ...more }: Asked) => {
  const text_input = conversation.findLast(({ role }) => role === 'user')?.content
  const input = {
    ...chat({ text_input, enable_tools: false }),
    conversation,
    request: {},
    plain: true,
    append_only: true,
    ...more,
  }
  return services.startRun.start(input, testUserContext(user))
}

async function ask(replica: Replica, user: string, asked: Asked) {
  const started = await start(replica, user, asked)
  await doneOf(replica, user, started.run_id)
  return started
}
const userSays = (content: string): ConversationMessage[] => [{ role: 'user', content }]

test('a long chain keeps what it was told and its newest messages, within bounds', async () => {
  const seen: { role: string; content: string }[][] = []
  await using model = await startModel(({ text, end }, { messages }) => {
    seen.push(messages)
    text('yes')
    end()
  })
  const replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url, LLM__CONTEXT_TOKENS: '1000000' })
  const user = randomUUID()
  let previous = await ask(replica, user, { conversation: [{ role: 'system', content: 'Be kind.' }, ...userSays('first')] })
  for (let n = 0; n < 10; n++) {
    const conversation = userSays(`${n} ${'x'.repeat(60_000)}`)
    previous = await ask(replica, user, { conversation, previous_run_id: previous.run_id })
  }
  const [largest] = await asAdmin<{ bytes: number }>(
    fixture.adminUrl,
    'select max(octet_length(settings)) as bytes from chat_agent.runs',
  )
  expect(largest?.bytes).toBeLessThan(600 * 1024)
  const last = seen.at(-1) ?? []
  expect(last.slice(0, 2).map(({ role, content }) => [role, content.slice(0, 8)])).toEqual([
    ['system', 'Be kind.'],
    ['user', '2 xxxxxx'],
  ])
  expect(last.at(-1)?.content).toMatch(/^9 x/)
}, 60_000)

test('two that go on from the same response at once both do, one of them in a session of its own', async () => {
  await using model = await startModel(({ text, end }, { messages }) => {
    text(messages.map(({ content }) => content).join('|'))
    end()
  })
  const replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url })
  const user = randomUUID()
  const first = await ask(replica, user, { conversation: userSays('first') })
  const both = await Promise.all(
    ['left', 'right'].map((text) => ask(replica, user, { conversation: userSays(text), previous_run_id: first.run_id })),
  )
  const contents = await Promise.all(both.map(async ({ run_id }) => (await doneOf(replica, user, run_id)).content))
  expect(contents).toEqual(['first|first|left', 'first|first|right'])
  const sessions = new Set(both.map(({ session_id }) => session_id))
  expect([sessions.size, sessions.has(first.session_id)]).toEqual([2, true])
})

test('a response that another replica takes over goes on with the same conversation', async () => {
  const seen: string[][] = []
  const lost = Promise.withResolvers<void>()
  await using database = await chatDatabase()
  await using model = await startModel(
    says('Hello!'),
    async ({ text }) => {
      text('The beginning')
      await lost.promise
      // It is lost with its replica, which then says now and again that it waits.
      text(' not stored')
    },
    ({ text, end }, { messages }) => {
      seen.push(messages.map(({ role, content }) => `${role}: ${content}`))
      text(' and the end.')
      end()
    },
  )
  const replica = database.replica({ LLM__OLLAMA_BASE_URL: model.url })
  const user = randomUUID()
  const first = await ask(replica, user, { conversation: [{ role: 'system', content: 'Be kind.' }, ...userSays('Hi')] })
  const { run_id } = await start(replica, user, { conversation: userSays('Go on'), previous_run_id: first.run_id })
  const live = () => textOf(replica.live.filter(({ runId }) => runId === run_id).map(({ entry }) => entry))
  await waitFor(async () => live() === 'The beginning', { what: 'the first text' })
  await replica.die()
  lost.resolve()
  const waited = sleep(12_000)
  const other = database.replica({ LLM__OLLAMA_BASE_URL: model.url })
  expect((await doneOf(other, user, run_id)).content).toBe('The beginning and the end.')
  expect(seen).toEqual([['system: Be kind.', 'user: Hi', 'assistant: Hello!', 'user: Go on', 'assistant: The beginning']])
  await waited
}, 60_000)

test('nobody else goes on from a response, reads it or erases it', async () => {
  await using model = await startModel(says('Hello!'))
  const replica = fixture.replica({ LLM__OLLAMA_BASE_URL: model.url })
  const [owner, other] = [randomUUID(), randomUUID()]
  const { run_id, session_id } = await ask(replica, owner, { conversation: userSays('Hi') })
  const { responses } = replica.services
  const notFound = { code: 'RUN_NOT_FOUND' }
  await expect(start(replica, other, { conversation: userSays('x'), previous_run_id: run_id })).rejects.toMatchObject(notFound)
  await expect(responses.get(other, run_id)).rejects.toMatchObject(notFound)
  await expect(responses.delete(run_id, testUserContext(other))).rejects.toMatchObject(notFound)
  const listing = responses.turns(other, { session_id, order: 'asc' })
  await expect(listing).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  expect((await responses.get(owner, run_id)).input).toEqual(userSays('Hi'))
})
