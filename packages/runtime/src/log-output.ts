import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'

/** Lines that wait for a full disk or a slow reader; the lines after them are dropped. In bytes. */
const MAX_WAITING = 1024 * 1024
/** The reader of a pipe is slow for moments, a disk is full for longer. */
const AGAIN_MS = { slowReader: 10, other: 500 } as const
/** A process that ends waits so long for the reader of a pipe, so that its last words arrive. */
const LAST_MS = 1_000

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
  #isReaderSlow = false
  #retry: NodeJS.Timeout | undefined
  /** The lines of one turn of the event loop are written together: each write costs more than the line. */
  #isScheduled = false

  constructor(fd: number, onDropped: (count: number) => void) {
    this.#fd = fd
    this.#onDropped = onDropped
    neverBlock(fd)
    process.once('exit', () => this.#flushAtExit())
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > MAX_WAITING) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#retry === undefined) this.#flush()
    })
  }

  /** No timer runs any more. */
  #flushAtExit(): void {
    const endsAt = performance.now() + LAST_MS
    for (this.#flush(); this.#isReaderSlow && performance.now() < endsAt; this.#flush()) pause(AGAIN_MS.slowReader)
  }

  #flush(): void {
    this.#isReaderSlow = false
    try {
      while (this.#waiting.length > 0) {
        const all = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting)
        if (all === undefined) return
        this.#waiting = [all]
        const count = writeSync(this.#fd, all)
        this.#bytes -= count
        this.#waiting = count === all.length ? [] : [all.subarray(count)]
      }
    } catch (error) {
      this.#isReaderSlow = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      const again = () => {
        this.#retry = undefined
        this.#flush()
      }
      this.#retry = setTimeout(again, this.#isReaderSlow ? AGAIN_MS.slowReader : AGAIN_MS.other).unref()
      return
    }
    const count = this.#dropped
    this.#dropped = 0
    if (count > 0) this.#onDropped(count)
  }
}

/** Stops the whole process. */
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

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
