import type { Done, RunEntry, WholeDone } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { RequestContext } from '../http/request-context.ts'
import { Reply, SENT } from '../http/answers/reply.ts'
import type { EntrySource, EntrySourceOf } from './entry-source.ts'
import type { OpenStreams } from './open-streams.ts'
import { RunReader } from './run-reader.ts'
import { eventFrame, SseStream } from './sse.ts'
import { startReading } from './start-reading.ts'

/** Who does not want to wait still gets an answer that is there already. */
const READ_MS = 250

export type StartRun = Parameters<typeof startReading>[2]

/** Several frames are made one after the other as the client reads them. */
export type FramesOf = (entry: RunEntry) => string | Iterable<string>

interface StreamOptions {
  readonly after: number
  readonly begun: boolean
  readonly liveFrom?: number | undefined
  readonly framesOf?: FramesOf | undefined
}

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

  /** Sends the run's log as server-sent events, with `framesOf` in another form; resolves when it has ended. */
  stream(runId: string, context: RequestContext, options: Partial<StreamOptions> = {}): Promise<Reply> {
    return this.#stream(this.#deps.sourceOf(runId, context), context, { after: 0, begun: false, ...options })
  }

  /** Starts a run and sends its log. With `framesOf` in another form. */
  async streamNew(context: RequestContext, start: StartRun, framesOf?: FramesOf): Promise<Reply> {
    const { source, liveFrom } = await startReading(this.#deps.sourceOf, context, start)
    return this.#stream(source, context, { after: 0, begun: true, liveFrom, framesOf })
  }

  /** With `begun` the headers are sent before the first entry. */
  async #stream(source: EntrySource, context: RequestContext, { begun, framesOf, ...from }: StreamOptions): Promise<Reply> {
    const { streams, logger } = this.#deps
    using stream = new SseStream(context, streams)
    // Clients of other protocols take the end of a stream for that of the answer.
    stream.isWhole = framesOf === undefined
    if (begun) stream.begin()
    let hasDone = false
    const writer = {
      get isFull() {
        return stream.isFull
      },
      write(entry: RunEntry) {
        if (entry.body.event === 'done') hasDone = true
        const frames = framesOf?.(entry)
        if (frames !== undefined && frames !== '') stream.send(frames, { passing: true })
        if (frames === undefined) stream.send(eventFrame(entry.body.event, entry.body.data, entry.n))
      },
      async drained() {
        stream.begin()
        await stream.drained()
      },
      // The frame has no id: it is no entry of the log.
      onOutage: () => {
        if (!framesOf && !stream.isFull) stream.send(eventFrame('status', { stage: 'reconnecting' }), { passing: true })
      },
    }
    try {
      await new RunReader(source, writer, { ...from, signal: stream.signal, begun }).run()
      await stream.drained()
      if (hasDone && !stream.signal.aborted) stream.isWhole = true
    } catch (error) {
      if (!stream.hasBegun) throw error
      logger.debug({ correlation_id: context.correlationId, err: error }, 'a stream ended early')
    }
    if (!stream.hasBegun && !context.outgoing.destroyed) {
      // An EventSource that reconnects after `done` has everything: 204 is what ends its reconnecting.
      if (!stream.signal.aborted) return new Reply(204, undefined)
      throw new AppError('SERVICE_UNAVAILABLE', 'The stream ended before it began; ask again', { retryAfter: 1 })
    }
    return SENT
  }

  /** The `done` of a run that has ended. */
  whole(runId: string, context: RequestContext, waitMs: number): Promise<WholeDone | undefined> {
    return this.#whole({ run_id: runId, source: this.#deps.sourceOf(runId, context) }, context, waitMs)
  }

  /**
   * Starts a run and waits for its `done`, at most `waitMs`: undefined when the run goes on by then. A client that disconnects and a
   * gateway that stops end the wait, never the run.
   */
  async wholeNew<T extends Awaited<ReturnType<StartRun>>>(
    context: RequestContext,
    waitMs: () => number,
    start: (run_id: string) => Promise<T>,
  ): Promise<{ started: T; done: WholeDone | undefined }> {
    const { started, ...reading } = await startReading(this.#deps.sourceOf, context, start)
    return { started, done: await this.#whole({ run_id: started.run_id, ...reading }, context, waitMs()) }
  }

  async #whole(
    { run_id, source, liveFrom }: { run_id: string; source: EntrySource; liveFrom?: number | undefined },
    context: RequestContext,
    waitMs: number,
  ): Promise<WholeDone | undefined> {
    const { streams } = this.#deps
    const stop = new AbortController()
    context.outgoing.once('close', () => stop.abort())
    using _entry = streams.add(context.caller, (why) => (why === 'moving' ? undefined : stop.abort(why)))
    let done: Done | undefined
    let thinking = ''
    const writer = {
      write: ({ body }: RunEntry) => {
        if (body.event === 'thinking') thinking += body.data.text
        if (body.event === 'done') done = body.data
      },
      isFull: false,
      drained: () => Promise.resolve(),
      onOutage: () => undefined,
    }
    const reading = new RunReader(source, writer, { after: 0, signal: stop.signal, begun: true, liveFrom }).run()
    const hasEnded = await settledWithin(Math.max(READ_MS, waitMs), reading)
    if (hasEnded) await reading
    else stop.abort()
    if (done) return thinking === '' ? done : { ...done, thinking }
    if (stop.signal.reason === 'revoked')
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: you were signed out meanwhile')
    if (stop.signal.aborted) return undefined
    throw new AppError('INTERNAL_ERROR', `The run ${run_id} ended without an answer; GET /v1/runs/${run_id} tells its state`)
  }
}
