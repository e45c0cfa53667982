import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { spokenUntil, untilRead } from '../streams/until-read.ts'
import { type Again, UnwrittenFrames } from '../streams/unwritten-frames.ts'

/** `socket`: what the WebSocket is spoken over. */
export interface Connection {
  readonly webSocket: WebSocket
  readonly socket: Socket
}

/** A longer frame is sent in fragments (RFC 6455 section 5.4), each when the client has read those before. In UTF-16 units. */
const LONG = 32 * 1024
/** Registry of IANA, service restart: a client connects again and sends `resume`. */
const RESUME = 1012

/**
 * Sends the frames of one socket. For a client that reads slowly as much is kept as node.js buffers, and a frame that is not long or cannot
 * be made again; of spoken answers `Voice` bounds how many.
 */
export class FrameSender {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #stallMs: number
  #draining: Promise<void> | undefined
  /** The fragments of one frame come before anything of the next. */
  readonly #rest: UnwrittenFrames[] = []
  /** Until when the client may take to read a spoken answer. */
  #spokenUntil: number | undefined

  constructor({ webSocket, socket }: Connection, stallMs: number) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#stallMs = stallMs
  }

  /** Until {@link drained} no entry of a run should be sent. */
  get isFull(): boolean {
    return (this.#rest.length > 0 || this.#socket.writableNeedDrain) && this.#isOpen
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  send(frame: string, again?: Again): void {
    if (!this.#isOpen) return
    if (frame.length <= LONG && this.#rest.length === 0) return this.#webSocket.send(frame)
    this.#rest.push(new UnwrittenFrames(frame, again))
    this.#pump()
    // The last frame of an answer has nobody who would wait before the next one.
    if (this.#rest.length > 0) void this.drained()
  }

  #pump(): void {
    for (let [first] = this.#rest; first && this.#isOpen && !this.#socket.writableNeedDrain; [first] = this.#rest) {
      const next = first.next()
      if (next) this.#webSocket.send(next.piece, { binary: false, fin: next.isEnd })
      else this.#rest.shift()
    }
    this.#rest[0]?.forget()
  }

  /** A frame that may be much larger than others. The client gets the time for it that a slow network takes. */
  sendSpoken(frame: string): void {
    this.#spokenUntil = Math.max(this.#spokenUntil ?? 0, spokenUntil(frame.length, this.#stallMs))
    this.send(frame)
  }

  /** To what the client has sent: one that sends and does not read gets no answer. */
  answer(frame: string): void {
    if (!this.isFull) this.send(frame)
  }

  /** The same for a ping; RFC 6455 section 5.5.3 allows to answer only the last one. */
  pong(data: Buffer): void {
    if (this.#isOpen && !this.isFull) this.#webSocket.pong(data)
  }

  /** Resolves when the client has read what was sent, or is gone: one that does not read is disconnected. */
  drained(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined))
    return this.#draining
  }

  async #drain(): Promise<void> {
    const until = this.#spokenUntil
    this.#spokenUntil = undefined
    const [socket, stallMs] = [this.#socket, this.#stallMs]
    while (this.isFull) {
      const [first] = this.#rest
      const heldBytes = this.#webSocket.bufferedAmount + (first?.held ?? 0)
      const onRead = (read: () => void) => socket.once('drain', read)
      if (socket.writableNeedDrain) await untilRead({ socket, onRead, heldBytes, stallMs, until, kind: 'web_socket' })
      if (socket.destroyed) return
      // The client comes back for what cannot be made again.
      if (first?.isForgotten && !(await first.remember())) return this.#webSocket.close(RESUME, 'resume')
      this.#pump()
    }
  }
}
