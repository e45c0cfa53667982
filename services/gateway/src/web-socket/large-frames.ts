import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { Slots } from '../audio/slots.ts'
import { MAX_TEXT_FRAME } from './chat-socket.ts'

/** How long a recording may take to arrive. */
const ARRIVAL_MS = 120_000
/** Bytes before the content of a control frame of a client (RFC 6455 section 5.2). */
const CONTROL_HEAD = 6
/** RFC 6455 section 7.4.1 and the registry of IANA. */
const CLOSE = { policy: 1008, tryAgain: 1013 } as const

/** Bounds what is in memory of large frames that have not arrived whole: the library collects each up to its end. */
export class LargeFrames {
  readonly #slots = new Slots({ what: 'recordings', perUser: 2, inAll: 16 })

  watch(connection: Duplex, socket: WebSocket, user: string): void {
    let size = 0
    let slot: Disposable | undefined
    let timer: NodeJS.Timeout | undefined
    const refuse = (code: number, reason: string) => {
      socket.close(code, reason)
      socket.terminate()
    }
    const end = () => {
      size = 0
      slot?.[Symbol.dispose]()
      slot = undefined
      clearTimeout(timer)
    }
    // Before the library reads it, which may tell of a whole frame at once.
    connection.prependListener('data', (bytes: Buffer) => {
      size += bytes.length
      if (size <= MAX_TEXT_FRAME || slot) return
      try {
        slot = this.#slots.take(user)
        timer = setTimeout(() => refuse(CLOSE.policy, 'too slow'), ARRIVAL_MS)
      } catch {
        refuse(CLOSE.tryAgain, 'too many recordings')
      }
    })
    // These are whole frames of their own, also between the parts of another one.
    const control = ({ length }: Buffer) => (size = Math.max(0, size - CONTROL_HEAD - length))
    socket.on('pong', control)
    socket.on('ping', control)
    socket.on('message', end)
    socket.on('close', end)
  }
}
