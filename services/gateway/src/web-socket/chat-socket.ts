import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import type { WebSocket } from 'ws'
import type { Clients } from '../clients.ts'
import { USUAL_RATE } from '../audio/sound.ts'
import type { Voice } from '../audio/voice.ts'
import { AnswerReader } from './answer-reader.ts'
import { type ClientFrame, errorFrame, FrameTooBig, isSpoken, pongFrame, readFrame } from './chat-frames.ts'
import { type Connection, FrameSender } from './frame-sender.ts'
import { RunStops, tooMany } from './run-stops.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RateLimiter } from '../http/guards/rate-limit.ts'
import { toAppError } from '../http/answers/to-app-error.ts'
import type { EntrySourceOf } from '../streams/entry-source.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import { startReading } from '../streams/start-reading.ts'

const PING_MS = 30_000
/** Runs one socket may read at once. */
const MAX_READERS = 8
/** A client that goes on sending after so many refused frames is disconnected. */
const MAX_REFUSED = 100
/** Between two of our own. */
const MAX_PINGS = 1_000

/** RFC 6455 section 7.4.1 and the registry of IANA. After 1012 a client connects again and sends `resume`. Those of wrong frames (1002, 1007, most of 1009) come from `ws`. */
const CLOSE = { policy: 1008, tooBig: 1009, serviceRestart: 1012 } as const

type FrameOf<T extends ClientFrame['type']> = Extract<ClientFrame, { type: T }>

export interface ChatSocketDeps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly limiter: RateLimiter
  readonly logger: Logger
  readonly sourceOf: EntrySourceOf
  readonly streams: OpenStreams
  readonly voice: Voice
}

type Client = ReturnType<ChatSocketDeps['chatAgent']['as']>
type StartedRun = Awaited<ReturnType<Client['startRun']>>

type Start = (client: Client, run: { session_id: string; run_id: string }) => Promise<StartedRun>

/** One WebSocket of a chat session. */
export class ChatSocket {
  readonly #socket: WebSocket
  readonly #sender: FrameSender
  readonly #answers: AnswerReader
  readonly #context: RequestContext
  readonly #sessionId: string
  readonly #deps: ChatSocketDeps
  readonly #closed = new AbortController()
  readonly #stops = new RunStops(async (run_id) => (await this.#client()).stopRun({ run_id }))
  /** Answers that were asked for and whose run the client does not know yet. */
  readonly #starting = new Set<{ isStopped: boolean }>()
  /** Answers that are begun or read. */
  #begun = 0
  #refused = 0
  #pings = 0
  #isMoving = false
  #isAlive = true

  constructor(connection: Connection, context: RequestContext, sessionId: string, deps: ChatSocketDeps) {
    this.#socket = connection.webSocket
    this.#sender = new FrameSender(connection, context.stallMs)
    this.#answers = new AnswerReader(this.#sender, this.#closed.signal)
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
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
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

  /** What was received is not kept while it is answered. */
  #receive(data: Buffer, isBinary: boolean): void {
    this.#isAlive = true
    // What comes after the closing frame gets no answer, so the client sends it again on its next socket.
    if (this.#socket.readyState !== this.#socket.OPEN) return
    let frame: ClientFrame | undefined
    try {
      this.#limit('default')
      if (isBinary) throw new AppError('VALIDATION_ERROR', 'Send text frames with JSON; binary frames mean nothing here')
      frame = readFrame(data)
    } catch (error) {
      if (error instanceof FrameTooBig) this.#socket.close(CLOSE.tooBig, 'too big')
      else this.#refuse(error)
      return
    }
    this.#refused = 0
    this.#handle(frame).catch((error: unknown) => this.#refuse(error, frame))
  }

  async #handle(frame: ClientFrame): Promise<void> {
    switch (frame.type) {
      case 'ping':
        return this.#sender.answer(pongFrame())
      case 'audio':
        return this.#counted(() => this.#askAloud(frame))
      case 'text': {
        const { content: text_input, show_thinking, cache } = frame
        const start: Start = (client, run) => client.startRun({ text_input, show_thinking, cache, ...run })
        return this.#counted(() => this.#startRun(frame, async () => start, isSpoken(frame, false)))
      }
      case 'retry': {
        const { message_id, content } = frame
        const start: Start = (client, run) => client.retryMessage({ message_id, content, ...run })
        return this.#counted(() => this.#startRun(frame, async () => start, isSpoken(frame, false)))
      }
      case 'stop':
        return this.#stop(frame.run_id)
      case 'resume':
        return this.#resume(frame.run_id, frame.after)
    }
  }

  #askAloud(frame: FrameOf<'audio'>): Promise<void> {
    const { sample_rate, show_thinking, cache } = frame
    const caller = { user: this.#context.caller.user_id, signal: this.#closed.signal }
    const start = async (): Promise<Start> => {
      const recording = { audio: frame.audio_data, sampleRate: sample_rate ?? USUAL_RATE, field: 'audio_data' }
      // The frame stays for as long as its answer takes.
      frame.audio_data = ''
      const question = await this.#deps.voice.question(recording, caller)
      return (client, run) => client.startRun({ ...question, show_thinking, cache, ...run })
    }
    return this.#startRun(frame, start, isSpoken(frame, true))
  }

  /** `ask`: finds out what is asked. */
  async #startRun(
    { session_id = this.#sessionId }: { readonly session_id?: string | undefined },
    ask: () => Promise<Start>,
    isToBeSpoken: boolean,
  ): Promise<void> {
    this.#limit('chat')
    const starting = { isStopped: false }
    const started = () => {
      if (this.#starting.delete(starting)) this.#closeToMove()
    }
    this.#starting.add(starting)
    try {
      const start = await ask()
      const client = await this.#client()
      const { started: run, ...reading } = await startReading(this.#deps.sourceOf, this.#context, (run_id) =>
        start(client, { session_id, run_id }),
      )
      if (starting.isStopped) void this.#stop(run.run_id).catch((error: unknown) => this.#refuse(error))
      const speak = isToBeSpoken ? this.#deps.voice.speaker(this.#context.caller.user_id) : undefined
      await this.#answers.read(run.run_id, { after: 0, begun: true, onEntry: started, speak, ...reading })
    } finally {
      started()
    }
  }

  async #resume(run_id: string, after: number): Promise<void> {
    if (this.#answers.reading.has(run_id)) return
    const source = this.#deps.sourceOf(run_id, this.#context)
    await this.#counted(() => this.#answers.read(run_id, { after, begun: false, source }))
  }

  /** All answers of this socket, those that begin among them, or one of the caller's. */
  async #stop(run_id: string | undefined): Promise<void> {
    if (run_id === undefined) for (const starting of this.#starting) starting.isStopped = true
    await this.#stops.stop(run_id === undefined ? this.#answers.reading : [run_id])
  }

  /** Bounds what one socket can have begun. */
  async #counted(work: () => Promise<void>): Promise<void> {
    if (this.#begun >= MAX_READERS) throw tooMany('answers', MAX_READERS)
    this.#begun += 1
    try {
      await work()
    } finally {
      this.#begun -= 1
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
