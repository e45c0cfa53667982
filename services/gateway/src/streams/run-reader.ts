import { setTimeout as sleep } from 'node:timers/promises'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import { EntryOrder } from './entry-order.ts'
import type { EntrySource } from './entry-source.ts'
import { PendingEntries } from './pending-entries.ts'

/** Receives a run's entries in order, each once. */
export interface EntryWriter {
  /** `again` reads the entry once more; it resolves with `undefined` when the log does not have it. */
  write(entry: RunEntry, again: () => Promise<RunEntry | undefined>): void
  /** The client has not read enough of what was written: nothing more should be. */
  readonly isFull: boolean
  /** Resolves when more can be written, or when the client is gone. */
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
/** An entry that waits here is dropped when the client has not read by then: the log has it. */
const HOLD_MS = 500
/** How often, and after how long, an entry is looked for that is not stored yet. */
const MOST_READS = 20
const AGAIN_MS = 250

/** Reads one run to its `done`, from the log and live: in order and without gaps, even when messages are lost or repeated. */
export class RunReader {
  readonly #source: EntrySource
  readonly #writer: EntryWriter
  readonly #signal: AbortSignal
  readonly #order: EntryOrder
  readonly #pending = new PendingEntries()
  #reading = false
  /** The client is waited for. */
  #isHeld = false
  /** Entries were dropped that the log has. */
  #isBehind = false
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
    using _live = this.#source.subscribe((entry, bytes) => this.#receive(entry, bytes))
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
        await this.#follow()
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
  #receive(entry: RunEntry, bytes: number): void {
    if (this.#isOver) return
    if (!this.#reading && !this.#isHeld && this.#pending.isEmpty) {
      if (this.#writer.isFull) this.#isHeld = true
      else {
        const decision = this.#order.offerLive(entry.n)
        if (decision === 'apply') this.#apply(entry)
        if (decision !== 'gap') return
      }
    }
    this.#keep(entry, bytes)
    if (!this.#reading) this.#wake()
  }

  #keep(entry: RunEntry, bytes: number): void {
    // It would only wait for a client that does not read.
    if (this.#isBehind && this.#writer.isFull) return
    if (!this.#pending.add(entry, bytes)) this.#isBehind = true
  }

  #dropPending(): void {
    this.#pending.clear()
    this.#isBehind = true
  }

  #apply(entry: RunEntry): void {
    this.#lastAt = performance.now()
    this.#gaps = 0
    this.#emptyReads = 0
    const { n } = entry
    this.#writer.write(entry, () => this.#again(n))
    if (entry.body.event !== 'done') return
    this.#finished = true
    this.#wake()
  }

  /** A live entry may not be stored yet, and one of an attempt that lost its run is never. */
  async #again(n: number): Promise<RunEntry | undefined> {
    for (let tries = 0; tries < MOST_READS && !this.#signal.aborted; tries += 1) {
      if (tries > 0) await sleep(AGAIN_MS)
      const { entries } = await this.#source.readPage(n - 1)
      const found = entries.find((entry) => entry.n === n)
      if (found) return found
    }
    return undefined
  }

  async #catchUp(): Promise<void> {
    this.#reading = true
    this.#isBehind = false
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
    this.#drain({ caughtUp: !this.#outage })
  }

  async #readLog(): Promise<void> {
    for (;;) {
      const { isAtEnd, isLast } = await this.#readPage()
      if (this.#isOver) return
      // A client that has the whole log is not given a stream at all.
      if (!isAtEnd) await this.#writer.drained()
      if (isLast || this.#isOver) return
    }
  }

  /** `isAtEnd`: the run has ended, and nothing follows. `isLast`: no page follows now. */
  async #readPage(): Promise<{ readonly isAtEnd: boolean; readonly isLast: boolean }> {
    const { entries, more, status } = await this.#source.readPage(this.#order.last)
    const isAtEnd = TERMINAL.includes(status) && entries.length === 0
    for (const entry of entries) {
      if (this.#isOver) break
      if (this.#writer.isFull && !(await settledWithin(HOLD_MS, this.#writer.drained()))) {
        // The rest of the page is read again when the client goes on.
        this.#dropPending()
        return { isAtEnd: false, isLast: false }
      }
      if (!this.#isOver && this.#order.offerLogged(entry.n) === 'apply') this.#apply(entry)
    }
    if (isAtEnd && !this.#isOver && ++this.#emptyReads > 1) this.#finished = true
    return { isAtEnd, isLast: !more || entries.length === 0 }
  }

  /** Until the log should be read again. */
  async #follow(): Promise<void> {
    while (!this.#isOver) {
      if (!this.#isHeld) await this.#idle()
      if (!this.#isHeld) return
      await this.#waitForClient()
      if (this.#isBehind) return
    }
  }

  /** What came meanwhile follows without a look into the log, unless it was too much or waited too long. */
  async #waitForClient(): Promise<void> {
    while (this.#isHeld && !this.#isOver) {
      const drained = this.#writer.drained()
      if (!(await settledWithin(HOLD_MS, drained))) {
        this.#dropPending()
        await drained
      }
      this.#isHeld = false
      this.#drain()
    }
  }

  /** Offers entries that were received meanwhile, lowest numbers first. Those after a gap stay pending. */
  #drain({ caughtUp = false } = {}): void {
    for (const { entry, bytes } of this.#pending.take()) {
      if (this.#isOver) return
      this.#isHeld ||= this.#writer.isFull
      const decision = this.#isHeld ? 'gap' : this.#order.offerLive(entry.n, { caughtUp })
      if (decision === 'apply') this.#apply(entry)
      if (decision === 'gap') this.#keep(entry, bytes)
    }
  }

  /** Waits until the log should be read again, or the client waited for. */
  async #idle(): Promise<void> {
    const reconnected = this.#reconnected
    this.#reconnected = false
    if (this.#outage) return this.#pause(OUTAGE_MS)
    if (reconnected) return
    if (this.#emptyReads > 0) return this.#pause(LAST_READ_MS)
    if (!this.#pending.isEmpty || this.#isBehind) return this.#pause(Math.min(GAP_MS * 2 ** this.#gaps++, GAP_MAX_MS))
    this.#lastAt = performance.now()
    let quietMs = 0
    do {
      await this.#pause(QUIET_MS - quietMs)
      quietMs = performance.now() - this.#lastAt
    } while (!this.#isOver && this.#pending.isEmpty && !this.#woken && quietMs < QUIET_MS - 1)
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
