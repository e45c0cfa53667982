import type { Done, RunEntry } from '@youworker/contracts/run-log'
import { AppError } from '@youworker/contracts/errors'
import { onReconnect } from '@youworker/messaging/connection/connect'
import { subscribeLive } from '@youworker/messaging/live/live'
import type { Deps } from '../http/deps.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Identity } from '../http/guards/authenticate.ts'
import { type Reply, SENT } from '../http/reply.ts'
import { RunReader, type RunSource } from './run-reader.ts'
import { eventFrame, SseStream } from './sse.ts'

/** Longest wait for the whole answer as one JSON body. */
const WHOLE_ANSWER_MS = 10 * 60_000

type SourceDeps = Pick<Deps, 'nats' | 'chatAgent' | 'authenticator'>

/** A long answer outlives an access token: each page is asked for with a good one. */
export const runSource = (runId: string, context: RequestContext, identity: Identity, deps: SourceDeps): RunSource => ({
  async page(after) {
    const scope = context.scopeOf(await deps.authenticator.renew(identity))
    return deps.chatAgent.as(scope).listEntries({ run_id: runId, after })
  },
  hear: (listener) => subscribeLive(deps.nats, runId, listener),
  onReconnect: (listener) => onReconnect(deps.nats, listener),
})

const identityOf = ({ identity }: RequestContext): Identity => {
  if (!identity) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated')
  return identity
}

/** The run's log as server-sent events; returns when it has ended. With `begun` the headers go out before the first entry. */
export async function streamRun(
  runId: string,
  context: RequestContext,
  deps: Deps,
  { after = 0, begun = false } = {},
): Promise<Reply> {
  using stream = new SseStream(context, deps.streams)
  if (begun) stream.open()
  const sink = {
    entry: ({ n, body }: RunEntry) => stream.send(eventFrame(body.event, body.data, n)),
    async ready() {
      stream.open()
      await stream.ready()
    },
    // Without an id: it is no part of the log.
    waiting: () => stream.send(eventFrame('status', { stage: 'reconnecting' })),
  }
  const source = runSource(runId, context, identityOf(context), deps)
  try {
    await new RunReader(source, sink, { after, signal: stream.signal, patient: begun }).run()
  } catch (error) {
    if (!stream.isOpen) throw error
    deps.logger.debug({ run_id: runId, correlation_id: context.correlationId, err: error }, 'a stream ended early')
  }
  if (!stream.isOpen && !context.outgoing.destroyed) {
    throw new AppError('SERVICE_UNAVAILABLE', 'The stream ended before it began; ask again', { retryAfter: 1 })
  }
  return SENT
}

/** Waits for `done`. A client that leaves ends the wait, never the run. */
export async function wholeRun(runId: string, context: RequestContext, deps: Deps): Promise<Done> {
  const left = new AbortController()
  const late = AbortSignal.timeout(WHOLE_ANSWER_MS)
  context.outgoing.once('close', () => left.abort())
  using _entry = deps.streams.add(context.caller, (why) => left.abort(why))
  let done: Done | undefined
  const sink = {
    entry: ({ body }: RunEntry) => {
      if (body.event === 'done') done = body.data
    },
    ready: () => Promise.resolve(),
    waiting: () => undefined,
  }
  const source = runSource(runId, context, identityOf(context), deps)
  await new RunReader(source, sink, { after: 0, signal: AbortSignal.any([left.signal, late]), patient: true }).run()
  if (done) return done
  if (left.signal.reason === 'revoked')
    throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: you were signed out meanwhile')
  const where = `the run goes on: GET /v1/runs/${runId}/events`
  if (left.signal.aborted) throw new AppError('SERVICE_UNAVAILABLE', `The gateway is restarting; ${where}`, { retryAfter: 1 })
  if (late.aborted) throw new AppError('DEADLINE_EXCEEDED', `No answer in ${WHOLE_ANSWER_MS / 60_000} minutes; ${where}`)
  throw new AppError('INTERNAL_ERROR', `The run ${runId} ended without an answer; GET /v1/runs/${runId} tells its state`)
}
