import type { Done, RunEntry, WholeDone } from '@youworker/contracts/agent/run-log'
import { AnswerParts, type SearchMade } from '@youworker/contracts/agent/file-search'
import type { Thought } from '@youworker/contracts/agent/thoughts'
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

/** Adds to the end of an answer what is not kept, which is held until it is disposed; what it notes is new in `logs`. Never rejects. */
type Finish = (done: Done, signal: AbortSignal) => Promise<Disposable & { readonly done: Done }>
/** Several frames are made one after the other as the client reads them. Of a `done` the same frames are made each time it is called. */
export type FramesOf = (entry: RunEntry) => string | Iterable<string>

interface Shape {
  /** Entries in another form. */
  readonly framesOf?: FramesOf | undefined
  readonly finish?: Finish | undefined
}

interface StreamOptions extends Shape {
  readonly after: number
  readonly begun: boolean
  readonly liveFrom?: number | undefined
}

interface WholeOptions extends Pick<Shape, 'finish'> {
  readonly run_id: string
  readonly source: EntrySource
  readonly liveFrom?: number | undefined
}

interface DoneEntry {
  readonly n: number
  readonly done: Done
}

/** A run that has ended. */
export interface WholeRun {
  readonly done: WholeDone
  readonly thoughts: readonly Thought[]
  readonly searches: readonly SearchMade[]
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

  /** Sends the run's log as server-sent events; resolves when it has ended. */
  stream(runId: string, context: RequestContext, options: Partial<StreamOptions> = {}): Promise<Reply> {
    return this.#stream(this.#deps.sourceOf(runId, context), context, { after: 0, begun: false, ...options })
  }

  /** Starts a run and sends its log. */
  async streamNew(context: RequestContext, start: StartRun, shape: Shape = {}): Promise<Reply> {
    const { source, liveFrom } = await startReading(this.#deps.sourceOf, context, start)
    return this.#stream(source, context, { after: 0, begun: true, liveFrom, ...shape })
  }

  /** With `begun` the headers are sent before the first entry. */
  async #stream(source: EntrySource, context: RequestContext, options: StreamOptions): Promise<Reply> {
    const { begun, framesOf, finish, ...from } = options
    const { streams, logger } = this.#deps
    let end: DoneEntry | undefined
    using stream = new SseStream(context, streams)
    // Clients of other protocols take the end of a stream for that of the answer.
    stream.isWhole = framesOf === undefined
    if (begun) stream.begin()
    let hasDone = false
    const writer = {
      get isFull() {
        return stream.isFull
      },
      write(entry: RunEntry, read: () => Promise<RunEntry | undefined>) {
        if (finish && entry.body.event === 'done') return void (end = { n: entry.n, done: entry.body.data })
        if (entry.body.event === 'done') hasDone = true
        const toFrames = framesOf ?? frameOf
        const frames = toFrames(entry)
        if (frames === '') return
        const again = async () => {
          const found = await read()
          return found && toFrames(found)
        }
        // Other protocols write an entry in the course of those before it: only of their last one they say the same twice.
        stream.send(frames, { passing: framesOf !== undefined, ...(framesOf && !hasDone ? {} : { again }) })
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
      if (end && finish) await sendEnd(stream, end, finish)
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

  /** What came of a run, when it has ended. */
  whole(runId: string, context: RequestContext, waitMs: number): Promise<WholeRun | undefined> {
    return this.#whole({ run_id: runId, source: this.#deps.sourceOf(runId, context) }, context, waitMs)
  }

  /**
   * Starts a run and waits for its end, at most `waitMs`: undefined when the run goes on by then. A client that disconnects and a
   * gateway that stops end the wait, never the run.
   */
  async wholeNew<T extends Awaited<ReturnType<StartRun>>>(
    context: RequestContext,
    waitMs: () => number,
    start: (run_id: string) => Promise<T>,
    finish?: Finish,
  ): Promise<{ started: T; whole: WholeRun | undefined }> {
    const { started, ...reading } = await startReading(this.#deps.sourceOf, context, start)
    return { started, whole: await this.#whole({ run_id: started.run_id, finish, ...reading }, context, waitMs()) }
  }

  async #whole(
    { run_id, source, liveFrom, finish }: WholeOptions,
    context: RequestContext,
    waitMs: number,
  ): Promise<WholeRun | undefined> {
    const { streams } = this.#deps
    const stop = new AbortController()
    const onClose = () => stop.abort()
    context.outgoing.once('close', onClose)
    using listening = new DisposableStack()
    listening.defer(() => context.outgoing.off('close', onClose))
    using _entry = streams.add(context.caller, (why) => (why === 'moving' ? undefined : stop.abort(why)))
    let done: Done | undefined
    const parts = new AnswerParts()
    const writer = {
      write: ({ body }: RunEntry) => {
        parts.add(body)
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
    if (done) {
      const whole = finish ? await finished(done, finish, context, stop.signal) : done
      const { thoughts, searches, thinking } = parts
      if (!stop.signal.aborted) return { done: thinking === '' ? whole : { ...whole, thinking }, thoughts, searches }
    }
    if (stop.signal.reason === 'revoked')
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: you were signed out meanwhile')
    if (stop.signal.aborted) return undefined
    throw new AppError('INTERNAL_ERROR', `The run ${run_id} ended without an answer; GET /v1/runs/${run_id} tells its state`)
  }
}

const frameOf = ({ n, body }: RunEntry): string => eventFrame(body.event, body.data, n)

/** What is held is sent, or given up, when the answer is closed. */
async function finished(done: Done, finish: Finish, { deadline, outgoing }: RequestContext, signal: AbortSignal): Promise<Done> {
  const spoken = await deadline.pausedFor(() => finish(done, signal))
  if (outgoing.destroyed) spoken[Symbol.dispose]()
  else outgoing.once('close', () => spoken[Symbol.dispose]())
  return spoken.done
}

/** A stream that has ended its answer but for what is added to it. */
async function sendEnd(stream: SseStream, { n, done }: DoneEntry, finish: Finish): Promise<void> {
  await stream.drained()
  if (stream.signal.aborted) return
  // The frames without an id are no entries of the log.
  stream.send(eventFrame('status', { stage: 'speaking' }), { passing: true })
  using spoken = await finish(done, stream.signal)
  for (const note of spoken.done.logs.slice(done.logs.length)) stream.send(eventFrame('log', note), { passing: true })
  stream.sendSpoken(eventFrame('done', spoken.done, n))
  await stream.drained()
}
