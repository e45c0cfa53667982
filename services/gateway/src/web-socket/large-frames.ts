import { Slots } from '@youworker/runtime/timing/slots'
import { MAX_TEXT_FRAME } from './chat-frames.ts'
import type { Connection } from './frame-sender.ts'

/** Reads of the network that a frame of no audio may take: the library keeps each in a buffer of its own. */
const MAX_TEXT_READS = 4_096
/** How long a recording may take to arrive. */
const ARRIVAL_MS = 120_000
/** Bytes before the content of a control frame of a client (RFC 6455 section 5.2). */
const CONTROL_HEAD = 6
/** RFC 6455 section 7.4.1 and the registry of IANA. */
const CLOSE = { policy: 1008, tryAgain: 1013 } as const

/** Bounds what is in memory of large frames that have not arrived whole: the library collects each up to its end. */
export class LargeFrames {
  readonly #slots = new Slots({ what: 'recordings', perUser: 2, inAll: 16 })

  watch({ webSocket, socket }: Connection, user: string): void {
    let size = 0
    let reads = 0
    let slot: Disposable | undefined
    let timer: NodeJS.Timeout | undefined
    const refuse = (code: number, reason: string) => {
      webSocket.close(code, reason)
      webSocket.terminate()
    }
    const end = () => {
      size = 0
      reads = 0
      slot?.[Symbol.dispose]()
      slot = undefined
      clearTimeout(timer)
    }
    // Before the library reads it, which may tell of a whole frame at once.
    socket.prependListener('data', (bytes: Buffer) => {
      size += bytes.length
      reads += 1
      if (slot) return
      if (size <= MAX_TEXT_FRAME) return reads > MAX_TEXT_READS ? refuse(CLOSE.policy, 'too many reads') : undefined
      try {
        slot = this.#slots.take(user)
        timer = setTimeout(() => refuse(CLOSE.policy, 'too slow'), ARRIVAL_MS)
      } catch {
        refuse(CLOSE.tryAgain, 'too many recordings')
      }
    })
    // These are whole frames of their own, also between the parts of another one.
    const control = ({ length }: Buffer) => {
      size = Math.max(0, size - CONTROL_HEAD - length)
      reads = 0
    }
    webSocket.on('pong', control)
    webSocket.on('ping', control)
    webSocket.on('message', end)
    webSocket.on('close', end)
  }
}
