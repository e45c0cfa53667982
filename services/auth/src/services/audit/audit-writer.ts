import { auth } from '@youworker/contracts/auth'
import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { AppError } from '@youworker/contracts/errors'
import { BatchWriter } from '@youworker/database/events/batch-writer'
import { type AuditEnd, BEGIN, checkpointMac, entryMac } from '@youworker/database/owners/auth/audit-chain'
import type { AuditHead } from '@youworker/database/owners/auth/audit-reader'
import type { AuditRow } from '@youworker/database/owners/auth/tables'
import type { KeyRing } from '@youworker/database/sealing/key-ring'
import { newCorrelationId } from '@youworker/runtime/correlation'
import { newId } from '@youworker/runtime/id'
import type { Logger } from '@youworker/runtime/logger'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'

/** The event of an entry. */
export interface AuditOrigin {
  readonly id: string
  readonly time: string
  /** The service that published it, by its subject: a service can write anything into its envelope. */
  readonly source: string
}

interface WriterOptions {
  readonly ring: KeyRing
  readonly logger: Logger
  readonly now?: () => number
}

type Entry = AuditEntry & AuditOrigin
type ChainedRow = AuditRow & { readonly key_version: number }

/** An event whose time is further from the clock of auth than this is not believed. */
const MAX_SKEW_MS = 5 * 60_000
const LOG_MS = 60_000

/** Appends to the trail, in batches. */
export class AuditWriter {
  readonly #uow: AuthUnitOfWork
  readonly #ring: KeyRing
  readonly #logger: Logger
  readonly #now: () => number
  readonly #batches = new BatchWriter<Entry>((entries) => this.#append(entries))
  #end: AuditEnd | undefined
  #loggedAt = 0

  constructor(uow: AuthUnitOfWork, { ring, logger, now = Date.now }: WriterOptions) {
    this.#uow = uow
    this.#ring = ring
    this.#logger = logger
    this.#now = now
  }

  /** The end of the trail as this process saw it last. */
  get end(): AuditEnd | undefined {
    return this.#end
  }

  /** Begins the chain of an installation that has none yet. */
  begin(): Promise<void> {
    return this.#append([])
  }

  /** Resolves when the entry is committed; a repeated event adds nothing. */
  record(entry: AuditEntry, { id, time, source }: AuditOrigin): Promise<void> {
    return this.#batches.add({ ...entry, id, time, source })
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    const end = await this.#uow.in(NO_SPACES).write(async ({ audit, outbox }) => {
      const head = await audit.lockHead()
      this.#compareWith(head)
      const known = entries.length === 0 ? [] : await audit.known(entries.map(({ id }) => id))
      const fresh = newOnes(entries, new Set(known.map(keyOf)))
      const rows = this.#chain(head, fresh)
      const last = rows.at(-1)
      if (!last) return { seq: head.seq, hash: head.hash }
      await audit.append(rows)
      const checkpoint = this.#checkpoint(last)
      outbox.add(auth.auditCheckpointed, checkpoint)
      return { seq: last.seq, hash: last.hash, checkpoint }
    })
    this.#end = { seq: end.seq, hash: end.hash }
    if (end.checkpoint === undefined || this.#now() - this.#loggedAt < LOG_MS) return
    this.#loggedAt = this.#now()
    this.#logger.info({ checkpoint: end.checkpoint }, 'a checkpoint of the audit trail')
  }

  /** The trail only grows: who cuts it while this process runs is found out here. */
  #compareWith({ seq, hash }: AuditEnd): void {
    const mine = this.#end
    if (!mine || seq > mine.seq || (seq === mine.seq && hash.equals(mine.hash))) return
    const known = { seq: mine.seq, hash: mine.hash.toString('hex') }
    this.#logger.error(
      { known, found: { seq, hash: hash.toString('hex') } },
      'the audit trail was cut or replaced in the database',
    )
  }

  /** The newest key that any replica uses: one that was started with an older ring must not go back to its own newest. */
  #chain(head: AuditHead, entries: readonly Entry[]): ChainedRow[] {
    const key_version = Math.max(this.#ring.active, head.key_version ?? 0)
    const now = this.#now()
    const first = head.key_version === null ? [beginEntry(head.seq, now)] : []
    const rows: ChainedRow[] = []
    let { seq, hash: prev_hash } = head
    for (const { time, address = null, user_agent = null, ...entry } of [...first, ...entries]) {
      seq += 1
      const row = { ...entry, address, user_agent, ...timesOf(time, now), seq, key_version, prev_hash }
      const hash = this.#requireKey(() => entryMac(this.#ring, row))
      rows.push({ ...row, hash })
      prev_hash = hash
    }
    return rows
  }

  #checkpoint({ seq, hash, key_version }: ChainedRow) {
    const checkpoint = { seq, hash: hash.toString('hex'), key_version }
    return { ...checkpoint, mac: checkpointMac(this.#ring, checkpoint).toString('hex') }
  }

  /** A missing key is no fault of an event: it waits until this process has the key. */
  #requireKey<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      if (!(cause instanceof AppError)) throw cause
      throw new AppError('SERVICE_UNAVAILABLE', cause.message, { cause, retryAfter: 5 })
    }
  }
}

const beginEntry = (entriesBefore: number, now: number): Entry => ({
  ...BEGIN,
  actor_id: null,
  target_id: String(entriesBefore),
  correlation_id: newCorrelationId(),
  id: newId(),
  time: new Date(now).toISOString(),
})

const keyOf = ({ id, source }: Pick<AuditOrigin, 'id' | 'source'>): string => `${source} ${id}`

/** Without events that are known or repeated. */
function newOnes<T extends AuditOrigin>(entries: readonly T[], known: Set<string>): T[] {
  return entries.filter((entry) => {
    const key = keyOf(entry)
    return !known.has(key) && known.add(key)
  })
}

/** Times as Postgres returns them, so that an entry has the same hash when it is read. */
const toTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z')

function timesOf(time: string, now: number): Pick<AuditRow, 'occurred_at' | 'recorded_at' | 'claimed_at'> {
  const claimed = Math.max(0, Date.parse(time))
  const isBelieved = Math.abs(claimed - now) <= MAX_SKEW_MS
  return {
    occurred_at: toTime(isBelieved ? claimed : now),
    recorded_at: toTime(now),
    claimed_at: isBelieved ? null : toTime(claimed),
  }
}
