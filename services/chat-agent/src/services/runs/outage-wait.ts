import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '@youworker/runtime/timing/retry'
import type { RunLog } from './run-log.ts'
import type { WaitStage } from './transcript.ts'

interface OutageWaitOptions {
  readonly log: RunLog
  readonly stage: WaitStage
  /** Most ms that a run waits, over all its attempts. */
  readonly limitMs: number
  /** Its reason is thrown when it aborts. */
  readonly signal: AbortSignal
}

const BACKOFF = { baseMs: 250, maxMs: 2_000 }
/** Pause between the status events of one wait. */
const REPORT_MS = 3_000

/** Repeats what failed because another service is away, and shows viewers that the run waits. The time is counted over the whole run. */
export class OutageWait {
  readonly #options: OutageWaitOptions
  #waitedMs: number
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(options: OutageWaitOptions) {
    this.#options = options
    this.#waitedMs = options.log.waitedMs(options.stage)
  }

  /**
   * Repeats `work` while `isAway` accepts its error; throws the last error once the time is used up. What `work` does before it calls
   * `begun` is no wait for a service that is away.
   */
  async repeat<T>(work: (begun: () => void) => Promise<T>, isAway: (error: unknown) => boolean): Promise<T> {
    const { limitMs, signal } = this.#options
    const before = this.#waitedMs
    let since: number | undefined
    for (let attempt = 1; ; attempt += 1) {
      let began = performance.now()
      try {
        return await work(() => {
          const now = performance.now()
          if (since !== undefined) since += now - began
          began = now
        })
      } catch (error) {
        signal.throwIfAborted()
        if (!isAway(error)) throw error
        since ??= began
        this.#waitedMs = before + Math.round(performance.now() - since)
        const left = limitMs - this.#waitedMs
        if (left <= 0) throw error
        this.#report()
        await sleep(Math.min(backoffMs(attempt, BACKOFF), left), undefined, { signal }).catch(() => {})
        signal.throwIfAborted()
        this.#waitedMs = before + Math.round(performance.now() - since)
      }
    }
  }

  #report(): void {
    const now = performance.now()
    if (now - this.#reportedAt < REPORT_MS) return
    this.#reportedAt = now
    const { log, stage } = this.#options
    log.emit({ event: 'status', data: { stage, waited_ms: this.#waitedMs } })
  }
}
