import type { RunEntry } from '@youworker/contracts/run-log'
import { type Status, TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { EntryOrder } from './entry-order.ts'

/** Where a run's entries come from: the log holds what is persisted, the live subject may lose some. */
export interface RunSource {
  /** Also the access check. */
  page(after: number): Promise<{ readonly entries: readonly RunEntry[]; readonly more: boolean; readonly status: Status }>
  hear(listener: (entry: RunEntry) => void): Disposable
  onReconnect(listener: () => void): Disposable
}

export interface RunSink {
  entry(entry: RunEntry): void
  /** Resolves when there is room for another page. */
  ready(): Promise<void>
  /** The log cannot be read right now; called once per outage. */
  waiting(): void
}

interface RunReaderOptions {
  /** Number of the last entry the client has. */
  readonly after: number
  /** Aborts when nobody reads any more. */
  readonly signal: AbortSignal
  /** Keep trying when not even the first page can be had: the answer has begun already. */
  readonly patient?: boolean
}

/** An active run that says nothing for this long is asked. */
const SILENCE_MS = 2_000
/** What was heard live may reach the log a little later (it is written in batches). */
const GAP_MS = 50
const GAP_MAX_MS = 1_000
const OUTAGE_MS = 1_000
/** A run that has ended without a last word is asked once more. */
const LAST_WORD_MS = 300
const MAX_PENDING = 5_000

/** Reads one run to its `done`, from the log and live, in order and without gaps, whatever is lost or repeated on the way. */
export class RunReader {
  readonly #source: RunSource
  readonly #sink: RunSink
  readonly #signal: AbortSignal
  readonly #order: EntryOrder
  #pending: RunEntry[] = []
  #asking = false
  #begun: boolean
  #finished = false
  #outage = false
  #terminal = 0
  #gaps = 0
  /** NATS came back: something may have been lost meanwhile. */
  #again = false
  #woken = false
  #lastAt = performance.now()
  #wake: () => void = () => undefined

  constructor(source: RunSource, sink: RunSink, { after, signal, patient = false }: RunReaderOptions) {
    this.#source = source
    this.#sink = sink
    this.#signal = signal
    this.#order = new EntryOrder(after)
    this.#begun = patient
  }

  /** Ends after `done`, when the run ended without one, or when the signal aborts. Throws when the caller may not read it (any more). */
  async run(): Promise<void> {
    using _live = this.#source.hear((entry) => this.#heard(entry))
    using _reconnect = this.#source.onReconnect(() => {
      this.#again = true
      this.#wake()
    })
    const onAbort = () => this.#wake()
    this.#signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!this.#isOver) {
        await this.#catchUp()
        if (!this.#isOver) await this.#rest()
      }
    } finally {
      this.#finished = true
      this.#signal.removeEventListener('abort', onAbort)
    }
  }

  get #isOver(): boolean {
    return this.#finished || this.#signal.aborted
  }

  /** The fast path: an entry that is simply the next one goes through at once. */
  #heard(entry: RunEntry): void {
    if (this.#isOver) return
    if (!this.#asking && this.#pending.length === 0) {
      const verdict = this.#order.offerLive(entry.n)
      if (verdict === 'apply') this.#apply(entry)
      if (verdict !== 'gap') return
    }
    // The log has everything: what does not fit is asked for again.
    if (this.#pending.length >= MAX_PENDING) this.#pending = []
    this.#pending.push(entry)
    if (!this.#asking) this.#wake()
  }

  #apply(entry: RunEntry): void {
    this.#lastAt = performance.now()
    this.#gaps = 0
    this.#terminal = 0
    this.#sink.entry(entry)
    if (entry.body.event !== 'done') return
    this.#finished = true
    this.#wake()
  }

  async #catchUp(): Promise<void> {
    this.#asking = true
    try {
      await this.#readLog()
      this.#begun = true
      this.#outage = false
    } catch (error) {
      if (!this.#begun || !isPassing(error)) throw error
      if (!this.#outage) this.#sink.waiting()
      this.#outage = true
    } finally {
      this.#asking = false
    }
    this.#drain()
  }

  async #readLog(): Promise<void> {
    for (;;) {
      const { entries, more, status } = await this.#source.page(this.#order.last)
      if (this.#isOver) return
      for (const entry of entries) {
        if (this.#order.offerLogged(entry.n) === 'apply') this.#apply(entry)
        if (this.#isOver) return
      }
      await this.#sink.ready()
      if (more && entries.length > 0 && !this.#isOver) continue
      if (TERMINAL.includes(status) && entries.length === 0 && ++this.#terminal > 1) this.#finished = true
      return
    }
  }

  /** Offers what was heard meanwhile, lowest numbers first; what still does not fit waits for the log. */
  #drain(): void {
    const heard = this.#pending.sort((a, b) => a.n - b.n)
    this.#pending = []
    const kept: RunEntry[] = []
    for (const entry of heard) {
      if (this.#isOver) return
      const verdict = this.#order.offerLive(entry.n, { caughtUp: !this.#outage })
      if (verdict === 'apply') this.#apply(entry)
      else if (verdict === 'gap') kept.push(entry)
    }
    this.#pending = [...kept, ...this.#pending]
  }

  /** Until it is worth asking again. */
  async #rest(): Promise<void> {
    const again = this.#again
    this.#again = false
    if (this.#outage) return this.#pause(OUTAGE_MS)
    if (again) return
    if (this.#terminal > 0) return this.#pause(LAST_WORD_MS)
    if (this.#pending.length > 0) return this.#pause(Math.min(GAP_MS * 2 ** this.#gaps++, GAP_MAX_MS))
    this.#lastAt = performance.now()
    let quietMs = 0
    do {
      await this.#pause(SILENCE_MS - quietMs)
      quietMs = performance.now() - this.#lastAt
    } while (!this.#isOver && this.#pending.length === 0 && !this.#woken && quietMs < SILENCE_MS - 1)
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

/** A service that is away comes back; a run that is gone or a caller who was signed out does not. */
const isPassing = (error: unknown): boolean =>
  error instanceof AppError && (ERROR_STATUS[error.code] >= 500 || error.code === 'RATE_LIMIT_EXCEEDED')
