import { setImmediate } from 'node:timers/promises'
import { settledWithin } from '@youworker/runtime/timing/settled-within'

const TELL_MS = 1_000
/** The SDK's own text of it. */
const CANCELLED = '"method":"notifications/cancelled"'

/** Notifications by which servers learn that a call is cancelled (MCP 2025-06-18, Cancellation). Closing its client would cut one off. */
export class CancelNotices {
  readonly #underWay = new Set<Promise<unknown>>()

  watch(body: unknown, answer: Promise<unknown>): void {
    if (typeof body !== 'string' || !body.includes(CANCELLED)) return
    this.#underWay.add(answer)
    const forget = () => void this.#underWay.delete(answer)
    answer.then(forget, forget)
  }

  /** Resolves when those of calls that have just ended are sent, or after a while. */
  async sent(): Promise<void> {
    // The SDK begins to send one when the signal aborts, after some promises of its own.
    await setImmediate()
    await settledWithin(TELL_MS, Promise.allSettled(this.#underWay))
  }
}
