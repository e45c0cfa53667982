import { ENTRIES_PER_ATTEMPT } from '@youworker/contracts/agent/run-log'

/** `gap`: entries before this one are missing and must be read from the log; the entry may then be offered again. */
export type Decision = 'apply' | 'drop' | 'gap'

const attemptOf = (n: number): number => Math.floor(n / ENTRIES_PER_ATTEMPT)

/** Merges a run's entries from its log and from the live subject into one order, each entry once. */
export class EntryOrder {
  #last: number
  /** Number of the last entry before the first attempt, when it is known. */
  readonly #startEnd: number | undefined

  /**
   * `after`: number of the last entry the reader has, 0 for none. `startEnd`: number of the last entry that the start of the run wrote;
   * it wrote no text, so the first attempt follows it without a look into the log.
   */
  constructor(after = 0, startEnd?: number) {
    this.#last = after
    this.#startEnd = startEnd
  }

  /** Number of the last entry applied. */
  get last(): number {
    return this.#last
  }

  /** The log is in order and without gaps, so only repeated entries are dropped. */
  offerLogged(n: number): 'apply' | 'drop' {
    if (n <= this.#last) return 'drop'
    this.#last = n
    return 'apply'
  }

  /**
   * Entries of an earlier attempt have lower numbers and are dropped. The first entry of a new attempt refers to the persisted
   * text of the attempt before: it applies only when the log has been read to its end (`caughtUp`).
   */
  offerLive(n: number, { caughtUp = false } = {}): Decision {
    if (n <= this.#last) return 'drop'
    const isNext = n === this.#last + 1 && attemptOf(n) === attemptOf(this.#last)
    const isFirstOfNewAttempt = n % ENTRIES_PER_ATTEMPT === 1
    const isFirstAfterStart = n === ENTRIES_PER_ATTEMPT + 1 && this.#last === this.#startEnd
    if (!isNext && !isFirstAfterStart && !(isFirstOfNewAttempt && caughtUp)) return 'gap'
    this.#last = n
    return 'apply'
  }
}
