import type { EntryRow } from '@youworker/database/owners/chat-agent/tables'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { detached } from '@youworker/runtime/current-request'
import { retry } from '@youworker/runtime/timing/retry'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'

const EVERY_MS = 20
const BATCH = 2_000
/** Bridges about 8 s without Postgres. */
const RETRY = { attempts: 8, baseMs: 100, maxMs: 2_000 } as const

/**
 * The one writer of run entries in a process. It writes all pending entries in one statement, at most every 20 ms. Entries
 * that cannot be written are lost together with their attempt; the next attempt continues behind the stored ones.
 */
export class EntryWriter implements AsyncDisposable {
  readonly #uow: ChatAgentUnitOfWork
  readonly #logger: Logger
  #pending: EntryRow[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  readonly #lost = new Set<string>()

  constructor(uow: ChatAgentUnitOfWork, logger: Logger) {
    this.#uow = uow
    this.#logger = logger
  }

  /** Throws once entries of the same attempt were lost, because a log must have no gaps. */
  append(entry: EntryRow): void {
    this.#refuseLost(entry)
    this.#pending.push(entry)
    this.#timer ??= setTimeout(() => this.#write(), EVERY_MS)
  }

  /** Resolves when all entries of the attempt appended so far are stored. Rejects when some of them were lost. */
  async flush(attempt: Pick<EntryRow, 'run_id' | 'attempt'>): Promise<void> {
    if (this.#pending.length > 0) this.#write()
    await this.#writing
    this.#refuseLost(attempt)
  }

  /** Frees what is kept of an attempt that is over. */
  forget(attempt: Pick<EntryRow, 'run_id' | 'attempt'>): void {
    this.#lost.delete(keyOf(attempt))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pending.length > 0) this.#write()
    await this.#writing
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = detached(() => this.#writing.then(() => this.#writeAll()))
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, BATCH)
      const spaces = [...new Set(batch.map(({ space_id }) => space_id))]
      try {
        await retry(() => this.#uow.in(spaces).write(({ entries }) => entries.addFenced(batch)), RETRY)
      } catch (error) {
        this.#logger.error({ err: error, entries: batch.length }, 'run entries could not be written')
        for (const entry of batch) this.#lost.add(keyOf(entry))
        this.#pending = this.#pending.filter((entry) => !this.#lost.has(keyOf(entry)))
      }
    }
  }

  #refuseLost(attempt: Pick<EntryRow, 'run_id' | 'attempt'>): void {
    if (!this.#lost.has(keyOf(attempt))) return
    throw new AppError('DATABASE_ERROR', 'The answer could not be stored; it goes on as soon as the database is back.')
  }
}

const keyOf = ({ run_id, attempt }: Pick<EntryRow, 'run_id' | 'attempt'>): string => `${run_id}/${attempt}`
