import { metrics } from '@youworker/runtime/health/metrics'
import type { RequestContext } from '../http/request-context.ts'
import type { OpenStreams } from './open-streams.ts'
import { endWithin, spokenUntil, untilRead } from './until-read.ts'
import { type Again, UnwrittenFrames } from './unwritten-frames.ts'

const COMMENT_MS = 15_000
/** A longer frame is written in pieces, each when the client has read those before. In UTF-16 units. */
const LONG = 16 * 1024
/** While more waits in this process nothing is written. */
const HIGH_WATER = 64 * 1024

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

interface SendOptions {
  /** Says nothing from which a client could resume. */
  readonly passing?: boolean
  readonly again?: Again
}

/** Server-sent events as the answer to one request. For a client that reads slowly `HIGH_WATER` is kept, and a frame that is not long or cannot be made again. */
export class SseStream implements Disposable {
  readonly #context: RequestContext
  readonly #closed = new AbortController()
  readonly #entry: Disposable
  /** Without it the connection is cut at the end, not closed. */
  isWhole = true
  #comments: NodeJS.Timeout | undefined
  /** What follows when the client has read more. */
  readonly #rest: UnwrittenFrames[] = []
  #draining: Promise<void> | undefined
  /** Until when the client may take to read a spoken answer. */
  #spokenUntil: number | undefined
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
    this.#comments = setInterval(() => {
      if (!this.isFull) outgoing.write(': \n\n')
    }, COMMENT_MS)
  }

  /** Until {@link drained} nothing more should be sent. */
  get isFull(): boolean {
    return this.#rest.length > 0 || this.#isBuffering
  }

  get #isBuffering(): boolean {
    return this.#context.outgoing.writableLength > HIGH_WATER
  }

  /** Several frames are made one after the other as the client reads them. */
  send(frames: string | Iterable<string>, { passing = false, again }: SendOptions = {}): void {
    if (this.#closed.signal.aborted) return
    this.begin()
    if (typeof frames === 'string' && frames.length <= LONG && this.#rest.length === 0) this.#context.outgoing.write(frames)
    else {
      this.#rest.push(new UnwrittenFrames(frames, again))
      this.#pump()
    }
    if (!passing) this.#isResumable = true
    if (this.#isMoving) this.#move()
  }

  /** The end of an answer, which may be much larger than other frames. The client gets the time for it that a slow network takes. */
  sendSpoken(frame: string): void {
    this.#spokenUntil = spokenUntil(frame.length, this.#context.stallMs)
    this.send(frame)
  }

  #pump(): void {
    const { outgoing } = this.#context
    for (let [first] = this.#rest; first && !this.#isBuffering && !this.#closed.signal.aborted; [first] = this.#rest) {
      const next = first.next()
      if (next) outgoing.write(next.piece)
      else this.#rest.shift()
    }
    this.#rest[0]?.forget()
  }

  /** Ends the stream as soon as the client has what it needs to resume it. */
  #move(): void {
    this.#isMoving = true
    if (!this.#isResumable) return
    const ms = RETRY_MS.least + Math.random() * RETRY_MS.spread
    // Within a frame it would be a part of that.
    if (this.#rest.length === 0) this.#context.outgoing.write(retryFrame(ms))
    this[Symbol.dispose]()
  }

  /** Resolves when the client has read what was sent, or is gone: one that does not read is disconnected. */
  drained(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined))
    return this.#draining
  }

  async #drain(): Promise<void> {
    const { outgoing, stallMs } = this.#context
    while (this.isFull && !this.#closed.signal.aborted) {
      const { socket } = outgoing
      if (!socket || socket.destroyed) return this[Symbol.dispose]()
      const [first] = this.#rest
      const heldBytes = outgoing.writableLength + (first?.held ?? 0)
      // Node.js loses the event `drain` of texts that have more bytes than characters.
      const onRead = (read: () => void) => void outgoing.write('', read)
      if (this.#isBuffering) await untilRead({ socket, onRead, heldBytes, stallMs, until: this.#spokenUntil, kind: 'sse' })
      // The client comes back for what cannot be made again.
      if (first?.isForgotten && !this.#closed.signal.aborted && !(await first.remember())) return this.#cutOff()
      this.#pump()
    }
  }

  /** In the middle of a frame, which a client that comes back gets whole. */
  #cutOff(): void {
    this.#context.outgoing.destroy()
    this[Symbol.dispose]()
  }

  /** Ends the stream. Before it has begun nothing was sent, and the caller may still answer with an error. */
  [Symbol.dispose](): void {
    if (this.#closed.signal.aborted) return
    this.#closed.abort()
    clearInterval(this.#comments)
    this.#entry[Symbol.dispose]()
    this.#rest.length = 0
    if (!this.#hasBegun) return
    metrics.sseStreams.dec()
    const { outgoing, stallMs } = this.#context
    if (!this.isWhole) return void outgoing.destroy()
    if (outgoing.writableLength > 0) endWithin(stallMs, outgoing.socket)
    outgoing.end()
  }
}
