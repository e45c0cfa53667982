import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { chat, chatDatabase, textOf } from '../../test-fixture.ts'
import { startModel } from '../../test-model.ts'

test.each([
  [true, 'stored'],
  [false, 'stored not stored'],
])(
  'with append_only %s readers have seen "%s" when the database was lost in mid-answer',
  async (append_only, seen) => {
    const lost = Promise.withResolvers<void>()
    await using database = await chatDatabase()
    await using model = await startModel(async ({ text }) => {
      text('stored')
      await lost.promise
      text(' not stored')
    })
    const replica = database.replica({ LLM__OLLAMA_BASE_URL: model.url })
    const input = { ...chat({ text_input: 'Hello', enable_tools: false }), append_only }
    await replica.services.startRun.start(input, testUserContext(randomUUID()))
    const live = () => textOf(replica.live.map(({ entry }) => entry))
    await waitFor(async () => live() === 'stored', { what: 'the first text' })
    // Longer than the pause between two writes, so that what readers of either kind have is stored.
    await sleep(200)
    await replica.die()
    lost.resolve()
    await sleep(1_000)
    expect(live()).toBe(seen)
  },
  60_000,
)
