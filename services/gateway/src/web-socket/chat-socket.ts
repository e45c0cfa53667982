import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import type { WebSocket } from 'ws'
import type { Clients } from '../clients.ts'
import { USUAL_RATE } from '../audio/sound.ts'
import type { Question, Speak, Voice } from '../audio/voice.ts'
import {
  audioFrame,
  type ClientFrame,
  entryFrame,
  errorFrame,
  logFrame,
  pongFrame,
  readFrame,
  statusFrame,
} from './chat-frames.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RateLimiter } from '../http/guards/rate-limit.ts'
import { toAppError } from '../http/answers/to-app-error.ts'
import { RunReader, type RunReaderOptions } from '../streams/run-reader.ts'
import type { EntrySource, EntrySourceOf } from '../streams/entry-source.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import { SocketWriter } from './socket-writer.ts'
import { startReading } from '../streams/start-reading.ts'

const PING_MS = 30_000
/** Bytes of a frame that holds no audio. */
export const MAX_TEXT_FRAME = 256 * 1024
/** Runs one socket may read at once. */
const MAX_READERS = 8

/** RFC 6455 section 7.4.1 and the registry of IANA. After 1012 a client connects again and sends `resume`. */
const CLOSE = { policy: 1008, tooBig: 1009, serviceRestart: 1012 } as const

type AudioClientFrame = Extract<ClientFrame, { type: 'audio' }>

/** Whether the client wants the answer spoken, in either of the two places where clients say so. */
function isSpoken({ expect_audio, metadata }: Pick<AudioClientFrame, 'expect_audio' | 'metadata'>, usual: boolean): boolean {
  const wanted = expect_audio ?? metadata?.['expect_audio']
  return typeof wanted === 'boolean' ? wanted : usual
}

export interface ChatSocketDeps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly limiter: RateLimiter
  readonly logger: Logger
  readonly sourceOf: EntrySourceOf
  readonly streams: OpenStreams
  readonly voice: Voice
}

interface ReadOptions extends Omit<RunReaderOptions, 'signal'> {
  readonly source: EntrySource
  readonly speak?: Speak | undefined
  readonly onEntry?: () => void
}

/** One WebSocket of a chat session. */
export class ChatSocket {
  readonly #socket: WebSocket
  readonly #writer: SocketWriter
  readonly #context: RequestContext
  readonly #sessionId: string
  readonly #deps: ChatSocketDeps
  readonly #closed = new AbortController()
  readonly #reading = new Set<string>()
  /** Answers that were asked for and whose run the client does not know yet. */
  readonly #starting = new Set<object>()
  #isMoving = false
  #isAlive = true

  constructor(socket: WebSocket, context: RequestContext, sessionId: string, deps: ChatSocketDeps) {
    this.#socket = socket
    this.#writer = new SocketWriter(socket, this.#closed.signal)
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
    socket.on('error', () => socket.terminate())
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
    this.#socket.ping()
  }

  async #receive(data: Buffer, isBinary: boolean): Promise<void> {
    this.#isAlive = true
    // What comes after the closing frame gets no answer, so the client sends it again on its next socket.
    if (this.#socket.readyState !== this.#socket.OPEN) return
    try {
      this.#limit('default')
      if (isBinary) throw new AppError('VALIDATION_ERROR', 'Send text frames with JSON; binary frames mean nothing here')
      const frame = readFrame(data)
      if (data.length > MAX_TEXT_FRAME && frame.type !== 'audio') return this.#socket.close(CLOSE.tooBig, 'too big')
      await this.#handle(frame)
    } catch (error) {
      this.#refuse(error)
    }
  }

  async #handle(frame: ClientFrame): Promise<void> {
    switch (frame.type) {
      case 'ping':
        return this.#writer.send(pongFrame())
      case 'audio':
        return this.#startRun(() => this.#hear(frame), isSpoken(frame, true))
      case 'text':
        return this.#startRun(async () => ({ text_input: frame.content }), isSpoken(frame, false))
      case 'stop':
        return this.#stop()
      case 'resume':
        return this.#read(frame.run_id, {
          after: frame.after,
          begun: false,
          source: this.#deps.sourceOf(frame.run_id, this.#context),
        })
    }
  }

  #hear({ audio_data: audio, sample_rate: sampleRate }: AudioClientFrame): Promise<Question> {
    const caller = { user: this.#context.caller.user_id, signal: this.#closed.signal }
    return this.#deps.voice.question({ audio, sampleRate: sampleRate ?? USUAL_RATE, field: 'audio_data' }, caller)
  }

  async #startRun(ask: () => Promise<Partial<Question>>, isToBeSpoken: boolean): Promise<void> {
    this.#limit('chat')
    this.#requireReader()
    const starting = {}
    const started = () => {
      if (this.#starting.delete(starting)) this.#closeToMove()
    }
    this.#starting.add(starting)
    try {
      const question = await ask()
      const client = await this.#client()
      const { started: run, ...reading } = await startReading(this.#deps.sourceOf, this.#context, (run_id) =>
        client.startRun({ ...question, session_id: this.#sessionId, run_id }),
      )
      const speak = isToBeSpoken ? this.#deps.voice.speaker(this.#context.caller.user_id) : undefined
      await this.#read(run.run_id, { after: 0, begun: true, onEntry: started, speak, ...reading })
    } finally {
      started()
    }
  }

  async #stop(): Promise<void> {
    const client = await this.#client()
    await Promise.all([...this.#reading].map((run_id) => client.stopRun({ run_id })))
  }

  async #read(run_id: string, { source, onEntry, speak, ...from }: ReadOptions): Promise<void> {
    if (this.#reading.has(run_id)) return
    this.#requireReader()
    this.#reading.add(run_id)
    let end: RunEntry | undefined
    const writer = {
      write: (entry: RunEntry) => {
        if (speak && entry.body.event === 'done') end = entry
        else this.#writer.send(entryFrame(run_id, entry))
        onEntry?.()
      },
      drained: () => this.#writer.drained(),
      onOutage: () => this.#writer.send(statusFrame(run_id, 'reconnecting')),
    }
    try {
      await new RunReader(source, writer, { ...from, signal: this.#closed.signal }).run()
      if (end?.body.event === 'done' && speak) await this.#sendSpoken(run_id, { n: end.n, done: end.body.data }, speak)
    } finally {
      this.#reading.delete(run_id)
    }
  }

  async #sendSpoken(run_id: string, { n, done }: { readonly n: number; readonly done: Done }, speak: Speak): Promise<void> {
    this.#writer.send(statusFrame(run_id, 'speaking'))
    const spoken = await speak(done, this.#closed.signal)
    for (const note of spoken.logs.slice(done.logs.length)) this.#writer.send(logFrame(run_id, note))
    if (spoken.audio_b64 !== undefined) this.#writer.send(audioFrame(run_id, spoken), { isLarge: true })
    this.#writer.send(entryFrame(run_id, { n, body: { event: 'done', data: { ...done, logs: spoken.logs } } }))
  }

  #requireReader(): void {
    if (this.#reading.size < MAX_READERS) return
    throw new AppError('RATE_LIMIT_EXCEEDED', `One socket follows at most ${MAX_READERS} answers at once; wait for one to end`, {
      retryAfter: 5,
    })
  }

  #limit(name: 'default' | 'chat'): void {
    const state = this.#deps.limiter.take(name, this.#context.caller.user_id)
    if (state && state.remaining < 0) throw this.#deps.limiter.refusal(name)
  }

  /** The socket outlives many access tokens, so each call renews its own. */
  async #client() {
    return this.#deps.chatAgent.as(await this.#context.renewedScope(this.#deps.authenticator))
  }

  #refuse(error: unknown): void {
    const failure = toAppError(error)
    const { correlationId: correlation_id } = this.#context
    if (failure.code === 'INTERNAL_ERROR') this.#deps.logger.error({ err: error, correlation_id }, 'a frame failed')
    this.#writer.send(errorFrame(failure, correlation_id))
    if (failure.code === 'NOT_AUTHENTICATED') this.#socket.close(CLOSE.policy, 'signed out')
  }
}
