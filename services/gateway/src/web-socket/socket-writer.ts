import type { WebSocket } from 'ws'

/** A client with more unread bytes than this is disconnected; it reconnects with `resume`. */
const MAX_BUFFERED = 1024 * 1024
/** The next page of a replay waits until no more than this is unread. */
const LOW_WATER = 64 * 1024
/** RFC 6455 section 7.4.1 and the registry of IANA. */
const TRY_AGAIN = 1013

/** Sends frames to a client as fast as it reads them. */
export class SocketWriter {
  readonly #socket: WebSocket
  readonly #closed: AbortSignal
  /** Bytes of large frames that are not sent yet. */
  #large = 0

  constructor(socket: WebSocket, closed: AbortSignal) {
    this.#socket = socket
    this.#closed = closed
  }

  /** `isLarge`: the client may have this frame unread besides. */
  send(frame: string, { isLarge = false } = {}): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (isLarge) this.#large += frame.length
    this.#socket.send(frame, isLarge ? () => (this.#large -= frame.length) : undefined)
    if (this.#socket.bufferedAmount <= MAX_BUFFERED + this.#large) return
    this.#socket.close(TRY_AGAIN, 'too slow')
    this.#socket.terminate()
  }

  /** Resolves when the client has read most of what was sent. */
  async drained(): Promise<void> {
    if (this.#socket.bufferedAmount <= LOW_WATER || this.#closed.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed.addEventListener('abort', () => resolve(), { once: true })
    // The callback of an empty ping runs when everything before it was sent.
    this.#socket.ping('', false, () => resolve())
    await promise
  }
}
