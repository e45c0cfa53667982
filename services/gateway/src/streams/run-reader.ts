import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { EntryOrder } from './entry-order.ts'
import type { EntrySource } from './entry-source.ts'

/** Receives a run's entries in order, each once. */
export interface EntryWriter {
  write(entry: RunEntry): void
  /** Resolves when another page can be buffered. */
  drained(): Promise<void>
  /** Called once per outage, when the log cannot be read. */
  onOutage(): void
}

export interface RunReaderOptions {
  /** Number of the last entry the client has. */
  readonly after: number
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** The answer has begun: a failure to read the first page is then retried like any later one instead of thrown. */
  readonly begun?: boolean
  /** Of a run that was just started: the source has all its entries live, and the log is read only when some are missing. */
  readonly liveFrom?: number | undefined
}

/** After this long without an entry the log is read again. */
const QUIET_MS = 2_000
/** The log is written in batches: a live entry may reach it this much later. */
const GAP_MS = 50
const GAP_MAX_MS = 1_000
const OUTAGE_MS = 1_000
/** After this long the log of a run that ended without `done` is read once more. */
const LAST_READ_MS = 300
const MAX_PENDING = 5_000

/** Reads one run to its `done`, from the log and live: in order and without gaps, even when messages are lost or repeated. */
export class RunReader {
  readonly #source: EntrySource
  readonly #writer: EntryWriter
  readonly #signal: AbortSignal
  readonly #order: EntryOrder
  #pending: RunEntry[] = []
  #reading = false
  #begun: boolean
  #finished = false
  #outage = false
  /** How often the log was empty at its end although the run had ended. */
  #emptyReads = 0
  #gaps = 0
  /** NATS is back after an outage: live entries may have been lost. */
  #reconnected = false
  #woken = false
  #isLive: boolean
  #lastAt = performance.now()
  #wake: () => void = () => undefined

  constructor(source: EntrySource, writer: EntryWriter, { after, signal, begun = false, liveFrom }: RunReaderOptions) {
    this.#source = source
    this.#writer = writer
    this.#signal = signal
    this.#order = new EntryOrder(after, liveFrom)
    this.#isLive = liveFrom !== undefined
    this.#begun = begun
  }

  /** Resolves after `done`, when the log of an ended run has nothing after `after`, or when the signal aborts. Throws when the caller may not, or no longer, read it. */
  async run(): Promise<void> {
    using _live = this.#source.subscribe((entry) => this.#receive(entry))
    using _reconnect = this.#source.onReconnect(() => {
      this.#reconnected = true
      this.#wake()
    })
    const onAbort = () => this.#wake()
    this.#signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!this.#isOver) {
        if (!this.#isLive) await this.#catchUp()
        this.#isLive = false
        if (!this.#isOver) await this.#idle()
      }
    } finally {
      this.#finished = true
      this.#signal.removeEventListener('abort', onAbort)
    }
  }

  get #isOver(): boolean {
    return this.#finished || this.#signal.aborted
  }

  /** The fast path: an entry that is the next one is written at once. */
  #receive(entry: RunEntry): void {
    if (this.#isOver) return
    if (!this.#reading && this.#pending.length === 0) {
      const decision = this.#order.offerLive(entry.n)
      if (decision === 'apply') this.#apply(entry)
      if (decision !== 'gap') return
    }
    // Dropped entries are read from the log.
    if (this.#pending.length >= MAX_PENDING) this.#pending = []
    this.#pending.push(entry)
    if (!this.#reading) this.#wake()
  }

  #apply(entry: RunEntry): void {
    this.#lastAt = performance.now()
    this.#gaps = 0
    this.#emptyReads = 0
    this.#writer.write(entry)
    if (entry.body.event !== 'done') return
    this.#finished = true
    this.#wake()
  }

  async #catchUp(): Promise<void> {
    this.#reading = true
    try {
      await this.#readLog()
      this.#begun = true
      this.#outage = false
    } catch (error) {
      if (!this.#begun || !isTransient(error)) throw error
      if (!this.#outage) this.#writer.onOutage()
      this.#outage = true
    } finally {
      this.#reading = false
    }
    this.#drain()
  }

  async #readLog(): Promise<void> {
    for (;;) {
      const { entries, more, status } = await this.#source.readPage(this.#order.last)
      if (this.#isOver) return
      for (const entry of entries) {
        if (this.#order.offerLogged(entry.n) === 'apply') this.#apply(entry)
        if (this.#isOver) return
      }
      const isAtEnd = TERMINAL.includes(status) && entries.length === 0
      if (isAtEnd && ++this.#emptyReads > 1) this.#finished = true
      // A client that has the whole log is not given a stream at all.
      if (!isAtEnd) await this.#writer.drained()
      if (!more || entries.length === 0 || this.#isOver) return
    }
  }

  /** Offers entries received while the log was read, lowest numbers first. Those after a gap stay pending. */
  #drain(): void {
    const received = this.#pending.sort((a, b) => a.n - b.n)
    this.#pending = []
    const kept: RunEntry[] = []
    for (const entry of received) {
      if (this.#isOver) return
      const decision = this.#order.offerLive(entry.n, { caughtUp: !this.#outage })
      if (decision === 'apply') this.#apply(entry)
      else if (decision === 'gap') kept.push(entry)
    }
    this.#pending = [...kept, ...this.#pending]
  }

  /** Waits until the log should be read again. */
  async #idle(): Promise<void> {
    const reconnected = this.#reconnected
    this.#reconnected = false
    if (this.#outage) return this.#pause(OUTAGE_MS)
    if (reconnected) return
    if (this.#emptyReads > 0) return this.#pause(LAST_READ_MS)
    if (this.#pending.length > 0) return this.#pause(Math.min(GAP_MS * 2 ** this.#gaps++, GAP_MAX_MS))
    this.#lastAt = performance.now()
    let quietMs = 0
    do {
      await this.#pause(QUIET_MS - quietMs)
      quietMs = performance.now() - this.#lastAt
    } while (!this.#isOver && this.#pending.length === 0 && !this.#woken && quietMs < QUIET_MS - 1)
  }

  #pause(ms: number): Promise<void> {
    this.#woken = false
    if (this.#isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        this.#woken = true
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** An unavailable service comes back; a deleted run and a signed-out caller do not. */
const isTransient = (error: unknown): boolean =>
  error instanceof AppError && (ERROR_STATUS[error.code] >= 500 || error.code === 'RATE_LIMIT_EXCEEDED')
