import type { EntryRow } from '@youworker/database/owners/chat-agent/tables'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { detached } from '@youworker/runtime/current-request'
import { retry } from '@youworker/runtime/timing/retry'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'

/** An attempt at a run. */
type Attempt = Pick<EntryRow, 'run_id' | 'attempt'>

interface Pending {
  readonly entry: EntryRow
  readonly onStored: (() => void) | undefined
}

const EVERY_MS = 20
const BATCH = 2_000
/** Bridges about 8 s without Postgres. */
const RETRY = { attempts: 8, baseMs: 100, maxMs: 2_000 } as const

/**
 * Writes the run entries of a process: those of all runs in one statement, at most every 20 ms, and the last ones of a run in the
 * transaction that ends it. Entries that cannot be written are lost together with their attempt; the next attempt continues behind
 * the stored ones.
 */
export class EntryWriter implements AsyncDisposable {
  readonly #uow: ChatAgentUnitOfWork
  readonly #logger: Logger
  /** By attempt, as the two below. */
  #pending = new Map<string, Pending[]>()
  #inFlight: ReadonlyMap<string, readonly Pending[]> = new Map()
  readonly #lost = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(uow: ChatAgentUnitOfWork, logger: Logger) {
    this.#uow = uow
    this.#logger = logger
  }

  /** Throws once entries of the same attempt were lost, because a log must have no gaps. */
  append(entry: EntryRow, onStored?: () => void): void {
    const key = keyOf(entry)
    this.#refuseLost(key)
    const pending = this.#pending.get(key)
    if (pending === undefined) this.#pending.set(key, [{ entry, onStored }])
    else pending.push({ entry, onStored })
    this.#timer ??= setTimeout(() => this.#write(), EVERY_MS)
  }

  /** Resolves when all entries of the attempt appended so far are stored. Rejects when some of them were lost. */
  async flush(attempt: Attempt): Promise<void> {
    this.#write()
    await this.#writing
    this.#refuseLost(keyOf(attempt))
  }

  /** Gives `store` the entries of the attempt that are not stored yet, to write them in its transaction. Rejects as `flush` does. */
  async storeWith<T>(attempt: Attempt, store: (entries: readonly EntryRow[]) => Promise<T>): Promise<T> {
    const key = keyOf(attempt)
    const taken = this.#pending.get(key) ?? []
    this.#pending.delete(key)
    if (this.#inFlight.has(key)) await this.#writing
    this.#refuseLost(key)
    try {
      const result = await store(taken.map(({ entry }) => entry))
      tell(taken)
      return result
    } catch (error) {
      if (taken.length > 0) this.#pending.set(key, [...taken, ...(this.#pending.get(key) ?? [])])
      throw error
    }
  }

  /** Frees what is kept of an attempt that is over. */
  forget(attempt: Attempt): void {
    this.#lost.delete(keyOf(attempt))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#write()
    await this.#writing
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#pending.size > 0) this.#writing = detached(() => this.#writing.then(() => this.#writePending()))
  }

  async #writePending(): Promise<void> {
    this.#inFlight = this.#pending
    this.#pending = new Map()
    const all = [...this.#inFlight.values()].flat()
    for (let at = 0; at < all.length; at += BATCH) await this.#store(all.slice(at, at + BATCH))
    this.#inFlight = new Map()
  }

  async #store(batch: readonly Pending[]): Promise<void> {
    const kept = this.#lost.size === 0 ? batch : batch.filter(({ entry }) => !this.#lost.has(keyOf(entry)))
    const entries = kept.map(({ entry }) => entry)
    const spaces = [...new Set(entries.map(({ space_id }) => space_id))]
    try {
      await retry(() => this.#uow.in(spaces).write((repositories) => repositories.entries.addFenced(entries)), RETRY)
      tell(kept)
    } catch (error) {
      this.#logger.error({ err: error, entries: entries.length }, 'run entries could not be written')
      for (const entry of entries) this.#lose(keyOf(entry))
    }
  }

  #lose(key: string): void {
    this.#lost.add(key)
    this.#pending.delete(key)
  }

  #refuseLost(key: string): void {
    if (!this.#lost.has(key)) return
    throw new AppError('DATABASE_ERROR', 'The answer could not be stored; it goes on as soon as the database is back.')
  }
}

/** The entries are stored whatever becomes of this: readers find them in the log. */
function tell(stored: readonly Pending[]): void {
  for (const { onStored } of stored) {
    try {
      onStored?.()
    } catch {
      // Said above.
    }
  }
}

const keyOf = ({ run_id, attempt }: Attempt): string => `${run_id}/${attempt}`
