import type { Socket } from 'node:net'
import { metrics } from '@youworker/runtime/health/metrics'

/** Who reads a little now and then, or sends and does not read, is waited for so many times as long as one that does nothing. */
const PATIENCE = 3

/** Bytes that a client must read in a millisecond of a spoken answer. */
const SLOWEST_SPOKEN = 16

interface Unread {
  readonly socket: Socket
  /** Calls back when everything was handed to the kernel. */
  readonly onRead: (callback: () => void) => void
  readonly heldBytes: number
  /** How long the client may read nothing. */
  readonly stallMs: number
  /** For a spoken answer: when all of it must be read, whatever is held, by `performance.now()`. */
  readonly until?: number | undefined
  readonly kind: 'sse' | 'web_socket'
}

/** When a client must have read a spoken answer of so many bytes. */
export const spokenUntil = (bytes: number, stallMs: number): number =>
  performance.now() + PATIENCE * stallMs + bytes / SLOWEST_SPOKEN

/** Resolves when the client has read what waits in this process for it, or is disconnected, which one that does not read is. */
export async function untilRead({ socket, onRead, heldBytes, stallMs, until, kind }: Unread): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cut = () => {
    metrics.slowClients.inc({ kind })
    socket.destroy()
    resolve()
  }
  const timer = setTimeout(cut, until === undefined ? PATIENCE * stallMs : Math.max(0, until - performance.now()))
  metrics.streamHeldBytes.inc({ kind }, heldBytes)
  // Node.js counts each byte that the kernel takes as a sign of life.
  socket.setTimeout(stallMs).prependListener('timeout', cut)
  socket.once('close', resolve)
  onRead(resolve)
  try {
    if (!socket.destroyed) await promise
  } finally {
    clearTimeout(timer)
    metrics.streamHeldBytes.dec({ kind }, heldBytes)
    socket.off('close', resolve).off('timeout', cut).setTimeout(0)
  }
}

/** Disconnects a client that does not read the rest of what was sent to it. */
export const endWithin = (ms: number, socket: Socket | null): void => void socket?.setTimeout(ms, () => socket.destroy())
