import { setTimeout as sleep } from 'node:timers/promises'
import { ModelPull, NewModelPull } from '@youworker/contracts/agent/model-backends'
import { chatAgent as contract } from '@youworker/contracts/chat-agent'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { type Reply, SENT } from '../../http/answers/reply.ts'
import { defineRoute, type RouteCall } from '../../http/define-route.ts'
import type { Authenticator } from '../../http/guards/authenticate.ts'
import type { OpenStreams } from '../../streams/open-streams.ts'
import { eventFrame, SseStream } from '../../streams/sse.ts'

interface Deps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly streams: OpenStreams
}

const POLL_MS = 1_000

const PullEvents = z.discriminatedUnion('event', [
  z.object({ event: z.literal('progress'), data: ModelPull }),
  z.object({ event: z.literal('done'), data: ModelPull }),
])

/** Sends `progress` at each change, then `done`; both carry the whole pull, which ends with its client. */
async function streamPull(
  { body, context }: RouteCall<unknown, unknown, z.output<typeof NewModelPull>>,
  { chatAgent, authenticator, streams }: Deps,
): Promise<Reply> {
  const client = async () => chatAgent.as(await context.renewedScope(authenticator))
  let pull = await chatAgent.as(context.scope).startModelPull(body, context.idempotency)
  using stream = new SseStream(context, streams)
  const { id: pull_id } = pull
  let seen = ''
  while (!stream.signal.aborted) {
    const hasEnded = pull.status !== 'running'
    const state = JSON.stringify(pull)
    if (hasEnded) await stream.drained()
    if (hasEnded || (state !== seen && !stream.isFull))
      stream.send(eventFrame(hasEnded ? 'done' : 'progress', pull), { passing: true })
    if (hasEnded) return SENT
    seen = state
    await sleep(POLL_MS, undefined, { signal: stream.signal }).catch(() => {})
    if (!stream.signal.aborted) pull = await untilAnswered(async () => (await client()).getModelPull({ pull_id }), pull)
  }
  // Else nobody watches it, which ends it too.
  await client()
    .then((agent) => agent.cancelModelPull({ pull_id }))
    .catch(() => {})
  return SENT
}

/** Of an agent that is away for a moment nothing new is known. */
const untilAnswered = (asked: () => Promise<ModelPull>, before: ModelPull): Promise<ModelPull> =>
  asked().catch((error: unknown) => {
    if (error instanceof AppError && ERROR_STATUS[error.code] >= 500) return before
    return { ...before, status: 'failed', error: error instanceof Error ? error.message : String(error) }
  })

export const modelPullRoutes = [
  defineRoute({
    tag: 'admin',
    auth: 'required',
    csrf: 'required',
    limit: 'default',
    method: 'POST',
    path: '/v1/models/pull',
    operation: 'pullModel',
    summary: 'Let Ollama get a model, with its progress as events (root); it stops when the client goes',
    body: NewModelPull,
    media: 'text/event-stream',
    events: PullEvents,
    errors: contract.startModelPull.errors,
    handle: streamPull,
  }),
]
