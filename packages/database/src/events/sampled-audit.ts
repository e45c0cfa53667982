import type { AuditedAct, AuditEntry } from '@youworker/contracts/audit/audit-entry'
import type { Event } from '@youworker/contracts/define'
import { detached } from '@youworker/runtime/current-request'
import type { Logger } from '@youworker/runtime/logger'
import { Sampler } from '@youworker/runtime/timing/sampler'
import type { SystemRepositories, UnitOfWork } from '../unit-of-work.ts'
import { recordAudit } from './record-audit.ts'

type Origin = Parameters<typeof recordAudit>[3]

interface SampledAuditOptions {
  readonly uow: UnitOfWork<Pick<SystemRepositories, 'outbox'>>
  /** The service's own. */
  readonly event: Event<typeof AuditEntry>
  readonly logger: Logger
  readonly now?: () => number
}

/** Entries per minute: of one caller, so that trying ids does not fill the trail, and of all. */
const SAMPLES = { windowMs: 60_000, perGroup: 30, total: 1_000 } as const

/**
 * Records acts that change nothing and may come in floods: one per caller, object, outcome and minute in each process. Nobody waits
 * for it, and one transaction at a time writes what has gathered.
 */
export class SampledAudit implements AsyncDisposable {
  readonly #options: SampledAuditOptions
  readonly #sampler: Sampler
  #waiting: [AuditedAct, Origin][] = []
  #writing: Promise<void> | undefined

  constructor(options: SampledAuditOptions) {
    this.#options = options
    this.#sampler = new Sampler({ ...SAMPLES, ...(options.now === undefined ? {} : { now: options.now }) })
  }

  record(act: AuditedAct, origin: Origin): void {
    const { actor_id, outcome, target_type, target_id } = act
    if (!this.#sampler.take(actor_id ?? '', JSON.stringify([outcome, target_type, target_id]))) return
    this.#waiting.push([act, origin])
    this.#writing ??= detached(() => this.#writeAll())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    const { uow, event, logger } = this.#options
    while (this.#waiting.length > 0) {
      const entries = this.#waiting.splice(0)
      await uow
        .in([])
        .write(async ({ outbox }) => {
          for (const [act, origin] of entries) recordAudit(outbox, event, act, origin)
        })
        .catch((error: unknown) => logger.warn({ err: error, entries: entries.length }, 'audit entries could not be recorded'))
    }
    this.#writing = undefined
  }
}
