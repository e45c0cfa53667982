import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'

/** Lines that wait for a full disk or a slow reader; the lines after them are dropped. In bytes. */
const MAX_WAITING = 1024 * 1024
/** The reader of a pipe is slow for moments, a disk is full for longer. */
const AGAIN_MS = { slowReader: 10, other: 500 } as const

/**
 * Writes log lines without ever throwing or holding up its process: when they cannot be written they wait, and beyond 1 MiB they
 * are dropped and counted. (The destinations of pino end the process on ENOSPC, or wait for ever at a fatal line.)
 */
export class LogOutput {
  readonly #fd: number
  /** Receives the number of dropped lines once lines can be written again. */
  readonly #onDropped: (count: number) => void
  #waiting: Buffer[] = []
  #bytes = 0
  #dropped = 0
  #retry: NodeJS.Timeout | undefined

  constructor(fd: number, onDropped: (count: number) => void) {
    this.#fd = fd
    this.#onDropped = onDropped
    neverBlock(fd)
    // What cannot be written at once is lost when the process ends.
    process.once('exit', () => this.#flush())
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > MAX_WAITING) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    if (this.#retry === undefined) this.#flush()
  }

  #flush(): void {
    try {
      for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
        const count = writeSync(this.#fd, chunk)
        this.#bytes -= count
        if (count === chunk.length) this.#waiting.shift()
        else this.#waiting[0] = chunk.subarray(count)
      }
    } catch (error) {
      const isSlowReader = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      const again = () => {
        this.#retry = undefined
        this.#flush()
      }
      this.#retry = setTimeout(again, isSlowReader ? AGAIN_MS.slowReader : AGAIN_MS.other).unref()
      return
    }
    const count = this.#dropped
    this.#dropped = 0
    if (count > 0) this.#onDropped(count)
  }
}

const sockets: Socket[] = []

/** A write to a full pipe then fails with EAGAIN instead of waiting for its reader. */
function neverBlock(fd: number): void {
  try {
    const file = fstatSync(fd)
    // Its constructor sets O_NONBLOCK, for which node has no call.
    if (file.isFIFO() || file.isSocket()) sockets.push(new Socket({ fd, readable: false }).on('error', () => {}).unref())
  } catch {
    // Closed: each write will say so.
  }
}
