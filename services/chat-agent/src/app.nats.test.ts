import { randomBytes } from 'node:crypto'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { healthContract } from '@youworker/contracts/health'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats } from '@youworker/messaging/connection/connect'
import { ensureEventStream } from '@youworker/messaging/events/ensure-event-stream'
import { roleUrl } from '@youworker/database/schema/migrate'
import { readEnv } from '@youworker/runtime/process/config'
import { silentLogger } from '@youworker/runtime/logger'
import { testPassword } from '@youworker/test-kit/database'
import { testNats } from '@youworker/test-kit/nats'
import { startOfflineModel } from '@youworker/test-kit/offline-model'
import { expect, test } from 'vitest'
import { startChatAgent } from './app.ts'
import { Env } from './config.ts'
import { chatDatabase } from './test-fixture.ts'

test('the service starts without auth, reports its health, refuses strangers, and stops', async () => {
  await using stack = new AsyncDisposableStack()
  const { adminUrl } = stack.use(await chatDatabase())
  const { url } = stack.use(await testNats())
  const model = stack.use(await startOfflineModel())
  const logger = silentLogger()
  await ensureEventStream({ url, logger })
  const config = readEnv(Env, {
    DATABASE__URL: roleUrl(adminUrl, 'chat-agent', testPassword),
    NATS__URL: url,
    SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: randomBytes(32).toString('base64url'),
    LLM__OLLAMA_BASE_URL: model.url,
  })
  const service = await startChatAgent(config, { logger })
  const nats = stack.adopt(await connectNats({ url, service: 'test', logger }), closeNats)
  const health = createClient(nats, healthContract('chat-agent'))
  const { components } = await health.checkHealth({})
  expect(components.filter(({ status }) => status !== 'down').map(({ name }) => name)).toEqual([
    'postgres',
    'nats',
    'tools',
    'model',
    'pool',
  ])
  const client = createClient(nats, chatAgent)
  await expect(client.listSessions({})).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  await service[Symbol.asyncDispose]()
  await expect(client.listSessions({})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
})
