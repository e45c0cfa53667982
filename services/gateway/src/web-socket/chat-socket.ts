import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import type { WebSocket } from 'ws'
import type { Clients } from '../clients.ts'
import { type ClientFrame, entryFrame, errorFrame, pongFrame, readFrame, statusFrame } from './chat-frames.ts'
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
/** A client with more unread bytes than this is disconnected; it reconnects with `resume`. */
const MAX_BUFFERED = 1024 * 1024
/** The next page of a replay waits until no more than this is unread. */
const LOW_WATER = 64 * 1024
/** Runs one socket may read at once. */
const MAX_READERS = 8

/** RFC 6455 section 7.4.1 and the registry of IANA. After 1012 a client connects again and sends `resume`. */
const CLOSE = { policy: 1008, serviceRestart: 1012, tryAgain: 1013 } as const

export interface ChatSocketDeps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly limiter: RateLimiter
  readonly logger: Logger
  readonly sourceOf: EntrySourceOf
  readonly streams: OpenStreams
}

interface ReadOptions extends Omit<RunReaderOptions, 'signal'> {
  readonly source: EntrySource
  readonly onEntry?: () => void
}

/** One WebSocket of a chat session. */
export class ChatSocket {
  readonly #socket: WebSocket
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
      await this.#handle(readFrame(data))
    } catch (error) {
      this.#refuse(error)
    }
  }

  async #handle(frame: ClientFrame): Promise<void> {
    switch (frame.type) {
      case 'ping':
        return this.#send(pongFrame())
      case 'audio':
        throw notServed('audio', 'audio_data')
      case 'text':
        return this.#startRun(frame)
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

  async #startRun({ content: text_input, show_thinking }: Extract<ClientFrame, { type: 'text' }>): Promise<void> {
    this.#limit('chat')
    this.#requireReader()
    const starting = {}
    const started = () => {
      if (this.#starting.delete(starting)) this.#closeToMove()
    }
    this.#starting.add(starting)
    try {
      const client = await this.#client()
      const { started: run, ...reading } = await startReading(this.#deps.sourceOf, this.#context, (run_id) =>
        client.startRun({ text_input, session_id: this.#sessionId, show_thinking, run_id }),
      )
      await this.#read(run.run_id, { after: 0, begun: true, onEntry: started, ...reading })
    } finally {
      started()
    }
  }

  async #stop(): Promise<void> {
    const client = await this.#client()
    await Promise.all([...this.#reading].map((run_id) => client.stopRun({ run_id })))
  }

  async #read(run_id: string, { source, onEntry, ...from }: ReadOptions): Promise<void> {
    if (this.#reading.has(run_id)) return
    this.#requireReader()
    this.#reading.add(run_id)
    const writer = {
      write: (entry: RunEntry) => {
        this.#send(entryFrame(run_id, entry))
        onEntry?.()
      },
      drained: () => this.#drained(),
      onOutage: () => this.#send(statusFrame(run_id, 'reconnecting')),
    }
    try {
      await new RunReader(source, writer, { ...from, signal: this.#closed.signal }).run()
    } finally {
      this.#reading.delete(run_id)
    }
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
    this.#send(errorFrame(failure, correlation_id))
    if (failure.code === 'NOT_AUTHENTICATED') this.#socket.close(CLOSE.policy, 'signed out')
  }

  #send(frame: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.send(frame)
    if (this.#socket.bufferedAmount <= MAX_BUFFERED) return
    this.#socket.close(CLOSE.tryAgain, 'too slow')
    this.#socket.terminate()
  }

  /** Resolves when the client has read most of what was sent. */
  async #drained(): Promise<void> {
    if (this.#socket.bufferedAmount <= LOW_WATER || this.#closed.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed.signal.addEventListener('abort', () => resolve(), { once: true })
    // The callback of an empty ping runs when everything before it was sent.
    this.#socket.ping('', false, () => resolve())
    await promise
  }
}
