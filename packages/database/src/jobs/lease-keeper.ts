import { newId } from '@youworker/runtime/id'
import type { Logger } from '@youworker/runtime/logger'
import type { Kysely } from 'kysely'
import { CancelRequested, LEASE_MS, LeaseLost } from './jobs.ts'
import { HEARTBEAT_MS, type Held, look, type LeaseState, renew } from './leases.ts'
import { createLoop, type Loop } from '@youworker/runtime/timing/loop'
import type { SystemTables } from '../schema/system-tables.ts'

const LOOK_MS = 1_000
const IDLE_MS = 60_000

interface HeldJob extends Held {
  readonly abort: AbortController
  /**
   * When the lease was last confirmed, by the monotonic clock of this process: taken before the query, so never later than in
   * the database.
   */
  confirmedAt: number
}

/** Renews the leases of all jobs that this process runs on one database, and aborts jobs that were cancelled or taken over. */
export class LeaseKeeper implements AsyncDisposable {
  /** Id of this process in `lease_owner`. */
  readonly owner = newId()
  readonly #db: Kysely<SystemTables>
  readonly #logger: Logger
  readonly #held = new Map<string, HeldJob>()
  #renewedAt = 0
  #loop: Loop | undefined

  constructor(db: Kysely<SystemTables>, logger: Logger) {
    this.#db = db
    this.#logger = logger
  }

  /** `claimedAt`: `performance.now()` from before the claim was sent. `abort` fires when the job must stop. */
  hold(id: string, attempt: number, claimedAt: number): { readonly abort: AbortController } & Disposable {
    const key = `${id}/${attempt}`
    const abort = new AbortController()
    this.#held.set(key, { id, attempt, abort, confirmedAt: claimedAt })
    if (this.#loop === undefined) this.#loop = createLoop(() => this.#turn())
    else if (this.#held.size === 1) this.#loop.nudge()
    return { abort, [Symbol.dispose]: () => void this.#held.delete(key) }
  }

  /** Checks for cancelled jobs now. */
  readonly nudge = (): void => this.#loop?.nudge()

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop?.stop()
  }

  async #turn(): Promise<number> {
    const held = [...this.#held.values()]
    if (held.length === 0) return IDLE_MS
    const now = performance.now()
    const renews = now - this.#renewedAt >= HEARTBEAT_MS - LOOK_MS / 2
    try {
      const states = renews ? await renew(this.#db, this.owner, held) : await look(this.#db, held)
      if (renews) this.#renewedAt = now
      for (const state of states) this.#apply(state, now)
    } catch (error) {
      this.#logger.warn({ err: error }, 'leases of running jobs could not be renewed')
    }
    this.#dropExpired()
    return LOOK_MS
  }

  #apply({ id, attempt, state, cancel_requested, renewed }: LeaseState, askedAt: number): void {
    const job = this.#held.get(`${id}/${attempt}`)
    if (job === undefined) return
    if (state === 'lost') job.abort.abort(new LeaseLost(`job ${id} has another owner`))
    else if (state === 'mine' && cancel_requested) job.abort.abort(new CancelRequested(`job ${id} is to stop`))
    if (renewed) job.confirmedAt = askedAt
  }

  /** When a lease was not renewed for its whole duration, another worker may have taken the job over. */
  #dropExpired(): void {
    const limit = performance.now() - LEASE_MS
    for (const { id, abort, confirmedAt } of this.#held.values()) {
      if (confirmedAt < limit) abort.abort(new LeaseLost(`the lease of job ${id} ran out: Postgres did not answer`))
    }
  }
}
