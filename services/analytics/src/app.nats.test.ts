import { chatAgent } from '@youworker/contracts/chat-agent'
import { closeNats, connectNats } from '@youworker/messaging/connection/connect'
import { ensureEventStream } from '@youworker/messaging/events/ensure-event-stream'
import { createEventPublisher } from '@youworker/messaging/events/events'
import { readEnv } from '@youworker/runtime/process/config'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { startAnalytics } from './app.ts'
import { Env } from './config.ts'
import { as, envelope, openTestAnalytics, story } from './test-fixture.ts'

const logger = silentLogger()

test('events of other services become figures; an invalid event goes to the dead letters and delays no other', async () => {
  await using analytics = await openTestAnalytics()
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: server.url, service: 'test', logger }), closeNats)
  const publisher = createEventPublisher(nats, { logger })
  await ensureEventStream({ url: server.url, logger })

  const config = readEnv(Env, { DATABASE__URL: analytics.url, NATS__URL: server.url })
  const service = stack.use(await startAnalytics(config, { logger }))
  const { keys, ...others } = service.readiness.checks
  for (const check of Object.values(others)) await check()
  // No auth runs here, so its keys cannot be read.
  await expect(keys?.()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })

  const user = newId()
  const events = story(user, newId())
  const good = envelope(chatAgent.sessionDeleted, { session_id: newId(), user_id: user })
  await publisher.publish([{ ...good, data: { session_id: 'no id' } }, ...events])
  await waitFor(async () => (await analytics.rows()).inbox.length === events.length, { what: 'all events' })
  expect(await analytics.figures.overview({ days: 30 }, as(user))).toMatchObject({
    messages: { total: 3 },
    documents: { total: 2 },
  })

  const letters = await waitFor(
    async () => {
      const rows = await analytics.uow.system().read(({ deadLetters }) => deadLetters.list({ limit: 10 }))
      return rows.length > 0 && rows
    },
    { what: 'the dead letter' },
  )
  expect(letters).toEqual([expect.objectContaining({ reason: expect.stringContaining(chatAgent.sessionDeleted.subject) })])
}, 120_000)
