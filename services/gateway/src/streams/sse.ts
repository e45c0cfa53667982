import { metrics } from '@youworker/runtime/health/metrics'
import type { RequestContext } from '../http/request-context.ts'
import type { OpenStreams } from './open-streams.ts'

const COMMENT_MS = 15_000
/** A client that reads slower than this falls behind is cut; it comes back with Last-Event-ID. */
const MAX_BUFFERED = 1024 * 1024
/** Between pages of a replay, wait until the client has taken this much. */
const ROOM = 64 * 1024

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would collect the stream.
  'x-accel-buffering': 'no',
} as const

/** WHATWG HTML section 9.2.6; JSON has no line breaks. */
export function eventFrame(event: string, data: unknown, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** One open event stream. */
export class SseStream implements Disposable {
  readonly #context: RequestContext
  readonly #gone = new AbortController()
  readonly #entry: Disposable
  #comments: NodeJS.Timeout | undefined
  #isOpen = false

  constructor(context: RequestContext, streams: OpenStreams) {
    this.#context = context
    this.#entry = streams.add(context.caller, () => this[Symbol.dispose]())
    context.outgoing.once('close', () => this[Symbol.dispose]())
  }

  /** Aborts when the client has left, was cut or signed out, or the gateway stops. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Sends the headers: from here on there is no other status than 200. */
  open(): void {
    if (this.#isOpen || this.#gone.signal.aborted) return
    this.#isOpen = true
    metrics.sseStreams.inc()
    const { outgoing } = this.#context
    outgoing.writeHead(200, this.#context.headers(HEADERS))
    outgoing.write('retry: 1000\n\n')
    this.#comments = setInterval(() => this.send(': \n\n'), COMMENT_MS)
  }

  send(frame: string): void {
    const { outgoing } = this.#context
    if (this.#gone.signal.aborted) return
    this.open()
    outgoing.write(frame)
    if (outgoing.writableLength > MAX_BUFFERED) outgoing.destroy()
  }

  /** Resolves when the client has taken nearly everything. */
  async ready(): Promise<void> {
    const { outgoing } = this.#context
    while (outgoing.writableLength > ROOM && !this.#gone.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      outgoing.once('drain', resolve).once('close', resolve)
      await promise
      outgoing.off('drain', resolve).off('close', resolve)
    }
  }

  /** Ends the answer, as a stream once it is one. */
  [Symbol.dispose](): void {
    if (this.#gone.signal.aborted) return
    this.#gone.abort()
    clearInterval(this.#comments)
    this.#entry[Symbol.dispose]()
    if (!this.#isOpen) return
    metrics.sseStreams.dec()
    this.#context.outgoing.end()
  }
}
