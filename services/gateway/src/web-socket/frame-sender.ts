import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { untilRead } from '../streams/until-read.ts'

/** `socket`: what the WebSocket is spoken over. */
export interface Connection {
  readonly webSocket: WebSocket
  readonly socket: Socket
}

/** Sends the frames of one socket. For a client that reads slowly as much is kept as node.js buffers, and one frame of each answer. */
export class FrameSender {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #stallMs: number
  #draining: Promise<void> | undefined

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
    if (!this.isFull) return
    const [socket, stallMs] = [this.#socket, this.#stallMs]
    const heldBytes = this.#webSocket.bufferedAmount
    await untilRead({ socket, onRead: (read) => socket.once('drain', read), heldBytes, stallMs, kind: 'web_socket' })
  }
}
