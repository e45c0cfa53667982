import type { RunEntry } from '@youworker/contracts/run-log'
import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import type { WebSocket } from 'ws'
import { type ClientFrame, entryFrame, errorFrame, pongFrame, readFrame, statusFrame } from './chat-frames.ts'
import type { Deps } from '../http/deps.ts'
import type { RequestContext } from '../http/request-context.ts'
import { type Identity, notAuthenticated } from '../http/guards/authenticate.ts'
import { toAppError } from '../http/error-envelope.ts'
import { RunReader } from '../streams/run-reader.ts'
import { runSource } from '../streams/stream-run.ts'

const PING_MS = 30_000
/** A client that falls behind by this much is cut; it comes back with `resume`. */
const MAX_BUFFERED = 1024 * 1024
const ROOM = 64 * 1024
/** Runs one socket may read at once. */
const MAX_READERS = 8

/** RFC 6455 section 7.4.1. */
const CLOSE = { goingAway: 1001, policy: 1008, tryAgain: 1013 } as const

/** One open conversation. */
export class ChatSocket {
  readonly #socket: WebSocket
  readonly #context: RequestContext
  readonly #sessionId: string
  readonly #deps: Deps
  readonly #gone = new AbortController()
  readonly #reading = new Set<string>()
  #identity: Identity
  #isAlive = true

  constructor(socket: WebSocket, context: RequestContext, sessionId: string, deps: Deps) {
    if (!context.identity) throw notAuthenticated()
    this.#socket = socket
    this.#context = context
    this.#sessionId = sessionId
    this.#deps = deps
    this.#identity = context.identity
  }

  /** Serves the socket until it closes. */
  open(): void {
    const socket = this.#socket
    const entry = this.#deps.streams.add(this.#identity.caller, (why) => {
      if (why === 'revoked') socket.close(CLOSE.policy, 'signed out')
      else socket.close(CLOSE.goingAway, 'restarting')
    })
    const pings = setInterval(() => this.#ping(), PING_MS)
    metrics.wsConnections.inc()
    socket.on('pong', () => (this.#isAlive = true))
    socket.on('error', () => socket.terminate())
    socket.on('message', (data: Buffer, isBinary) => void this.#heard(data, isBinary))
    socket.on('close', () => {
      clearInterval(pings)
      entry[Symbol.dispose]()
      metrics.wsConnections.dec()
      this.#gone.abort()
    })
  }

  #ping(): void {
    if (!this.#isAlive) return this.#socket.terminate()
    this.#isAlive = false
    this.#socket.ping()
  }

  async #heard(data: Buffer, isBinary: boolean): Promise<void> {
    this.#isAlive = true
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
        throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'This installation answers text only: send a frame of type text')
      case 'text':
        return this.#ask(frame.content)
      case 'stop':
        return this.#stop()
      case 'resume':
        return this.#read(frame.run_id, frame.after, false)
    }
  }

  async #ask(text_input: string): Promise<void> {
    this.#limit('chat')
    this.#requireReader()
    const scope = await this.#scope()
    const { run_id } = await this.#deps.chatAgent.as(scope).startRun({ text_input, session_id: this.#sessionId })
    await this.#read(run_id, 0, true)
  }

  async #stop(): Promise<void> {
    const client = this.#deps.chatAgent.as(await this.#scope())
    await Promise.all([...this.#reading].map((run_id) => client.stopRun({ run_id })))
  }

  async #read(run_id: string, after: number, patient: boolean): Promise<void> {
    if (this.#reading.has(run_id)) return
    this.#requireReader()
    this.#reading.add(run_id)
    const sink = {
      entry: (entry: RunEntry) => this.#send(entryFrame(run_id, entry)),
      ready: () => this.#ready(),
      waiting: () => this.#send(statusFrame(run_id, 'reconnecting')),
    }
    const source = runSource(run_id, this.#context, this.#identity, this.#deps)
    try {
      await new RunReader(source, sink, { after, signal: this.#gone.signal, patient }).run()
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
    const state = this.#deps.limiter.take(name, this.#identity.caller.user_id)
    if (state && state.remaining < 0) throw this.#deps.limiter.refusal(name)
  }

  /** With a token that is still good: the socket outlives many. */
  async #scope() {
    this.#identity = await this.#deps.authenticator.renew(this.#identity)
    return this.#context.scopeOf(this.#identity)
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

  /** Between pages of a replay: until the client has taken most of the last one. */
  async #ready(): Promise<void> {
    if (this.#socket.bufferedAmount <= ROOM || this.#gone.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gone.signal.addEventListener('abort', () => resolve(), { once: true })
    // The callback of an empty ping comes when everything before it has gone out.
    this.#socket.ping('', false, () => resolve())
    await promise
  }
}
