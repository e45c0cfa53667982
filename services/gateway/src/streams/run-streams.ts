import type { Done, RunEntry } from '@youworker/contracts/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import type { RequestContext } from '../http/request-context.ts'
import { Reply, SENT } from '../http/reply.ts'
import type { EntrySourceOf } from './entry-source.ts'
import type { OpenStreams } from './open-streams.ts'
import { RunReader } from './run-reader.ts'
import { eventFrame, SseStream } from './sse.ts'

/** Longest wait for the whole answer as one JSON body. */
const WHOLE_ANSWER_MS = 10 * 60_000

interface Deps {
  readonly sourceOf: EntrySourceOf
  readonly streams: OpenStreams
  readonly logger: Logger
}

/** Answers HTTP requests with the entries of a run, as they come or all at once. */
export class RunStreams {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** Sends the run's log as server-sent events; resolves when it has ended. With `begun` the headers are sent before the first entry. */
  async stream(runId: string, context: RequestContext, { after = 0, begun = false } = {}): Promise<Reply> {
    const { sourceOf, streams, logger } = this.#deps
    using stream = new SseStream(context, streams)
    if (begun) stream.begin()
    const writer = {
      write: ({ n, body }: RunEntry) => stream.send(eventFrame(body.event, body.data, n)),
      async drained() {
        stream.begin()
        await stream.drained()
      },
      // The frame has no id: it is no entry of the log.
      onOutage: () => stream.send(eventFrame('status', { stage: 'reconnecting' })),
    }
    try {
      await new RunReader(sourceOf(runId, context), writer, { after, signal: stream.signal, begun }).run()
    } catch (error) {
      if (!stream.hasBegun) throw error
      logger.debug({ run_id: runId, correlation_id: context.correlationId, err: error }, 'a stream ended early')
    }
    if (!stream.hasBegun && !context.outgoing.destroyed) {
      // An EventSource that reconnects after `done` has everything: 204 is what ends its reconnecting.
      if (!stream.signal.aborted) return new Reply(204, undefined)
      throw new AppError('SERVICE_UNAVAILABLE', 'The stream ended before it began; ask again', { retryAfter: 1 })
    }
    return SENT
  }

  /** Waits for `done`. A client that disconnects ends the wait, never the run. */
  async whole(runId: string, context: RequestContext): Promise<Done> {
    const { sourceOf, streams } = this.#deps
    const stop = new AbortController()
    const timeout = AbortSignal.timeout(WHOLE_ANSWER_MS)
    context.outgoing.once('close', () => stop.abort())
    using _entry = streams.add(context.caller, (why) => stop.abort(why))
    let done: Done | undefined
    const writer = {
      write: ({ body }: RunEntry) => {
        if (body.event === 'done') done = body.data
      },
      drained: () => Promise.resolve(),
      onOutage: () => undefined,
    }
    const signal = AbortSignal.any([stop.signal, timeout])
    await new RunReader(sourceOf(runId, context), writer, { after: 0, signal, begun: true }).run()
    if (done) return done
    if (stop.signal.reason === 'revoked')
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: you were signed out meanwhile')
    const where = `the run goes on: GET /v1/runs/${runId}/events`
    if (stop.signal.aborted) throw new AppError('SERVICE_UNAVAILABLE', `The gateway is restarting; ${where}`, { retryAfter: 1 })
    if (timeout.aborted) throw new AppError('DEADLINE_EXCEEDED', `No answer in ${WHOLE_ANSWER_MS / 60_000} minutes; ${where}`)
    throw new AppError('INTERNAL_ERROR', `The run ${runId} ended without an answer; GET /v1/runs/${runId} tells its state`)
  }
}
