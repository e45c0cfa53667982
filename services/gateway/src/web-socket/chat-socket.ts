import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import type { WebSocket } from 'ws'
import type { Clients } from '../clients.ts'
import { type ClientFrame, entryFrame, errorFrame, pongFrame, readFrame, statusFrame } from './chat-frames.ts'
import { type Connection, FrameSender } from './frame-sender.ts'
import { RunStops, tooMany } from './run-stops.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RateLimiter } from '../http/guards/rate-limit.ts'
import { notServed } from '../http/text-only.ts'
import { toAppError } from '../http/answers/to-app-error.ts'
import { RunReader, type RunReaderOptions } from '../streams/run-reader.ts'
import type { EntrySource, EntrySourceOf } from '../streams/entry-source.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import { startReading } from '../streams/start-reading.ts'

const PING_MS = 30_000
/** Runs one socket may read at once. */
const MAX_READERS = 8
/** A client that goes on sending after so many refused frames is disconnected. */
const MAX_REFUSED = 100
/** Between two of our own. */
const MAX_PINGS = 1_000

/** RFC 6455 section 7.4.1 and the registry of IANA. After 1012 a client connects again and sends `resume`. Those of wrong frames (1002, 1007, 1009) come from `ws`. */
const CLOSE = { policy: 1008, serviceRestart: 1012 } as const

export interface ChatSocketDeps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly limiter: RateLimiter
  readonly logger: Logger
  readonly sourceOf: EntrySourceOf
  readonly streams: OpenStreams
}

type Client = ReturnType<ChatSocketDeps['chatAgent']['as']>
type StartedRun = Awaited<ReturnType<Client['startRun']>>

type Start = (client: Client, run: { session_id: string; run_id: string }) => Promise<StartedRun>

interface ReadOptions extends Omit<RunReaderOptions, 'signal'> {
  readonly source: EntrySource
  readonly onEntry?: () => void
}

/** One WebSocket of a chat session. */
export class ChatSocket {
  readonly #socket: WebSocket
  readonly #sender: FrameSender
  readonly #context: RequestContext
  readonly #sessionId: string
  readonly #deps: ChatSocketDeps
  readonly #closed = new AbortController()
  readonly #reading = new Set<string>()
  readonly #stops = new RunStops(async (run_id) => (await this.#client()).stopRun({ run_id }))
  /** Answers that were asked for and whose run the client does not know yet. */
  readonly #starting = new Set<{ isStopped: boolean }>()
  /** Answers that are begun or read. */
  #answers = 0
  #refused = 0
  #pings = 0
  #isMoving = false
  #isAlive = true

  constructor(connection: Connection, context: RequestContext, sessionId: string, deps: ChatSocketDeps) {
    this.#socket = connection.webSocket
    this.#sender = new FrameSender(connection, context.stallMs)
    this.#context = context
    this.#sessionId = sessionId
    this.#deps = deps
  }

  serve(): void {
    const socket = this.#socket
    const entry = this.#deps.streams.add(this.#context.caller, (why) => {
      if (why === 'revoked') return socket.close(CLOSE.policy, 'signed out')
      this.#isMoving = true
      if (why === 'stopping') this.#starting.clear()
      this.#closeToMove()
    })
    const pings = setInterval(() => this.#ping(), PING_MS)
    metrics.wsConnections.inc()
    socket.on('pong', () => (this.#isAlive = true))
    socket.on('ping', (data: Buffer) => this.#pong(data))
    // The closing frame that says what was wrong is on its way.
    socket.on('error', (error) => this.#deps.logger.debug({ err: error }, 'a WebSocket broke off'))
    socket.on('message', (data: Buffer, isBinary) => void this.#receive(data, isBinary))
    socket.on('close', () => {
      clearInterval(pings)
      entry[Symbol.dispose]()
      metrics.wsConnections.dec()
      this.#closed.abort()
    })
    // The credential may have ended while the socket was being opened.
    this.#client().catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') this.#refuse(error)
    })
  }

  /** Closes the socket when another gateway takes over, as soon as the client can resume all that it asked for. */
  #closeToMove(): void {
    if (this.#isMoving && this.#starting.size === 0) this.#socket.close(CLOSE.serviceRestart, 'service restart')
  }

  #ping(): void {
    if (!this.#isAlive) return this.#socket.terminate()
    this.#isAlive = false
    this.#pings = 0
    this.#socket.ping()
  }

  #pong(data: Buffer): void {
    if (++this.#pings > MAX_PINGS) this.#socket.close(CLOSE.policy, 'too many pings')
    else this.#sender.pong(data)
  }

  async #receive(data: Buffer, isBinary: boolean): Promise<void> {
    this.#isAlive = true
    // What comes after the closing frame gets no answer, so the client sends it again on its next socket.
    if (this.#socket.readyState !== this.#socket.OPEN) return
    let frame: ClientFrame | undefined
    try {
      this.#limit('default')
      if (isBinary) throw new AppError('VALIDATION_ERROR', 'Send text frames with JSON; binary frames mean nothing here')
      frame = readFrame(data)
      this.#refused = 0
      await this.#handle(frame)
    } catch (error) {
      this.#refuse(error, frame)
    }
  }

  async #handle(frame: ClientFrame): Promise<void> {
    switch (frame.type) {
      case 'ping':
        return this.#sender.answer(pongFrame())
      case 'audio':
        throw notServed('audio', 'audio_data')
      case 'text': {
        const { content: text_input, show_thinking } = frame
        return this.#counted(() => this.#startRun(frame, (client, run) => client.startRun({ text_input, show_thinking, ...run })))
      }
      case 'retry': {
        const { message_id, content } = frame
        return this.#counted(() => this.#startRun(frame, (client, run) => client.retryMessage({ message_id, content, ...run })))
      }
      case 'stop':
        return this.#stop(frame.run_id)
      case 'resume':
        return this.#resume(frame.run_id, frame.after)
    }
  }

  async #startRun({ session_id = this.#sessionId }: { readonly session_id?: string | undefined }, start: Start): Promise<void> {
    this.#limit('chat')
    const starting = { isStopped: false }
    const started = () => {
      if (this.#starting.delete(starting)) this.#closeToMove()
    }
    this.#starting.add(starting)
    try {
      const client = await this.#client()
      const { started: run, ...reading } = await startReading(this.#deps.sourceOf, this.#context, (run_id) =>
        start(client, { session_id, run_id }),
      )
      if (starting.isStopped) void this.#stop(run.run_id).catch((error: unknown) => this.#refuse(error))
      await this.#read(run.run_id, { after: 0, begun: true, onEntry: started, ...reading })
    } finally {
      started()
    }
  }

  async #resume(run_id: string, after: number): Promise<void> {
    if (this.#reading.has(run_id)) return
    const source = this.#deps.sourceOf(run_id, this.#context)
    await this.#counted(() => this.#read(run_id, { after, begun: false, source }))
  }

  /** All answers of this socket, those that begin among them, or one of the caller's. */
  async #stop(run_id: string | undefined): Promise<void> {
    if (run_id === undefined) for (const starting of this.#starting) starting.isStopped = true
    await this.#stops.stop(run_id === undefined ? this.#reading : [run_id])
  }

  async #read(run_id: string, { source, onEntry, ...from }: ReadOptions): Promise<void> {
    const sender = this.#sender
    this.#reading.add(run_id)
    const writer = {
      get isFull() {
        return sender.isFull
      },
      write(entry: RunEntry) {
        sender.send(entryFrame(run_id, entry))
        onEntry?.()
      },
      drained: () => sender.drained(),
      onOutage: () => sender.answer(statusFrame(run_id, 'reconnecting')),
    }
    try {
      await new RunReader(source, writer, { ...from, signal: this.#closed.signal }).run()
    } finally {
      this.#reading.delete(run_id)
    }
  }

  /** Bounds what one socket can have begun. */
  async #counted(work: () => Promise<void>): Promise<void> {
    if (this.#answers >= MAX_READERS) throw tooMany('answers', MAX_READERS)
    this.#answers += 1
    try {
      await work()
    } finally {
      this.#answers -= 1
    }
  }

  #limit(name: 'default' | 'chat'): void {
    const state = this.#deps.limiter.take(name, this.#context.caller.user_id)
    if (state && state.remaining < 0) throw this.#deps.limiter.refusal(name)
  }

  /** The socket outlives many access tokens, so each call renews its own. */
  async #client() {
    return this.#deps.chatAgent.as(await this.#context.renewedScope(this.#deps.authenticator))
  }

  #refuse(error: unknown, frame?: ClientFrame): void {
    const failure = toAppError(error)
    const { correlationId: correlation_id } = this.#context
    if (failure.code === 'INTERNAL_ERROR') this.#deps.logger.error({ err: error, correlation_id }, 'a frame failed')
    const run_id = frame !== undefined && 'run_id' in frame ? frame.run_id : undefined
    this.#sender.answer(errorFrame(failure, correlation_id, run_id))
    if (failure.code === 'NOT_AUTHENTICATED') this.#socket.close(CLOSE.policy, 'signed out')
    else if (frame === undefined && ++this.#refused > MAX_REFUSED) this.#socket.close(CLOSE.policy, 'too many refused frames')
  }
}
