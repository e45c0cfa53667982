import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { spokenUntil, untilRead } from '../streams/until-read.ts'

/** `socket`: what the WebSocket is spoken over. */
export interface Connection {
  readonly webSocket: WebSocket
  readonly socket: Socket
}

/** Sends the frames of one socket. For a client that reads slowly as much is kept as node.js buffers, and one frame of each answer; of spoken answers `Voice` bounds how many. */
export class FrameSender {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #stallMs: number
  #draining: Promise<void> | undefined
  /** Until when the client may take to read a spoken answer. */
  #spokenUntil: number | undefined

  constructor({ webSocket, socket }: Connection, stallMs: number) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#stallMs = stallMs
  }

  /** Until {@link drained} no entry of a run should be sent. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain && this.#isOpen
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  send(frame: string): void {
    if (this.#isOpen) this.#webSocket.send(frame)
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
    if (!this.isFull) return
    const [socket, stallMs] = [this.#socket, this.#stallMs]
    const heldBytes = this.#webSocket.bufferedAmount
    await untilRead({ socket, onRead: (read) => socket.once('drain', read), heldBytes, stallMs, until, kind: 'web_socket' })
  }
}
