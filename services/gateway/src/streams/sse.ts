import { metrics } from '@youworker/runtime/health/metrics'
import type { RequestContext } from '../http/request-context.ts'
import type { OpenStreams } from './open-streams.ts'

const COMMENT_MS = 15_000
/** A client with more unread bytes than this is disconnected; it reconnects with Last-Event-ID. */
const MAX_BUFFERED = 1024 * 1024
/** The next page of a replay waits until no more than this is unread. */
const LOW_WATER = 64 * 1024

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
  // The end of the stream is that of the connection: the next one is on a gateway that stays.
  connection: 'close',
} as const
/** How long browsers wait before they resume a stream. When all streams end at once, not all clients may come back at once. */
const RETRY_MS = { usual: 1_000, least: 100, spread: 900 } as const

/** U+2028 and U+2029 end a line for some readers of lines, though for neither SSE nor JSON. */
export const toLine = (data: unknown): string =>
  JSON.stringify(data).replace(/[\u2028\u2029]/g, (unit) => (unit === '\u2028' ? '\\u2028' : '\\u2029'))

/** WHATWG HTML section 9.2.6; JSON has no line breaks. */
export function eventFrame(event: string, data: unknown, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${toLine(data)}\n\n`
}

const retryFrame = (ms: number): string => `retry: ${Math.round(ms)}\n\n`

/** Server-sent events as the answer to one request. */
export class SseStream implements Disposable {
  readonly #context: RequestContext
  readonly #closed = new AbortController()
  readonly #entry: Disposable
  /** Without it the connection is cut at the end, not closed. */
  isWhole = true
  #comments: NodeJS.Timeout | undefined
  #hasBegun = false
  #isResumable = false
  #isMoving = false

  constructor(context: RequestContext, streams: OpenStreams) {
    this.#context = context
    this.#entry = streams.add(context.caller, (why) => {
      if (why === 'moving') this.#move()
      else this[Symbol.dispose]()
    })
    context.outgoing.once('close', () => this[Symbol.dispose]())
  }

  /** Aborts when the client has disconnected, was disconnected or signed out, or the gateway stops. */
  get signal(): AbortSignal {
    return this.#closed.signal
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** Sends the headers, and with them status 200. */
  begin(): void {
    if (this.#hasBegun || this.#closed.signal.aborted) return
    this.#hasBegun = true
    this.#context.deadline.lift()
    metrics.sseStreams.inc()
    const { outgoing } = this.#context
    outgoing.writeHead(200, this.#context.headers(HEADERS))
    outgoing.write(retryFrame(RETRY_MS.usual))
    this.#comments = setInterval(() => this.#write(': \n\n'), COMMENT_MS)
  }

  /** `passing`: says nothing from which a client could resume. */
  send(frame: string, { passing = false } = {}): void {
    this.#write(frame)
    if (!passing) this.#isResumable = true
    if (this.#isMoving) this.#move()
  }

  #write(frame: string): void {
    const { outgoing } = this.#context
    if (this.#closed.signal.aborted) return
    this.begin()
    // One frame may be larger than that: the end of a response repeats its text.
    if (outgoing.writableLength > MAX_BUFFERED) outgoing.destroy()
    else outgoing.write(frame)
  }

  /** Ends the stream as soon as the client has what it needs to resume it. */
  #move(): void {
    this.#isMoving = true
    if (!this.#isResumable) return
    this.#write(retryFrame(RETRY_MS.least + Math.random() * RETRY_MS.spread))
    this[Symbol.dispose]()
  }

  /** Resolves when the client has read nearly everything. */
  async drained(): Promise<void> {
    const { outgoing } = this.#context
    while (outgoing.writableLength > LOW_WATER && !this.#closed.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      outgoing.once('drain', resolve).once('close', resolve)
      await promise
      outgoing.off('drain', resolve).off('close', resolve)
    }
  }

  /** Ends the stream. Before it has begun nothing was sent, and the caller may still answer with an error. */
  [Symbol.dispose](): void {
    if (this.#closed.signal.aborted) return
    this.#closed.abort()
    clearInterval(this.#comments)
    this.#entry[Symbol.dispose]()
    if (!this.#hasBegun) return
    metrics.sseStreams.dec()
    if (this.isWhole) this.#context.outgoing.end()
    else this.#context.outgoing.destroy()
  }
}
