import { availableParallelism } from 'node:os'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import type { Frequencies, IndexedChunk, IndexState, SearchIndex } from '../../services/search/search-index.ts'
import { type CandidateLists, unpacked } from './candidate-list.ts'
import { IndexHost } from './index-host.ts'
import type { IndexCall, IndexOutcome, IndexResult } from './index-worker.ts'
import { ThreadPool } from './threads/thread-pool.ts'

const SCRIPT = new URL('./index-worker.ts', import.meta.url)
/** Threads beyond those would wait for the same disk and memory. */
const MOST_READERS = 8
const WRITERS = 2
const MAX_WAITING = 256
const READS: ReadonlySet<IndexCall['op']> = new Set(['state', 'search', 'frequencies', 'contents'])

/**
 * The search index without a server: one SQLite file per space in a folder. Processes of one machine share the folder; SQLite's
 * write-ahead log does not work across machines, so those need an index server. Writes have threads of their own, so that no search
 * waits for them. A call ends with the request that it belongs to.
 */
export function createEmbeddedIndex(dir: string, { logger }: { logger: Logger }): SearchIndex {
  const threads = new IndexThreads(dir, logger)
  // Each kind of call has its own type of result, which the message cannot show.
  const ask = <T>(space_id: string, call: IndexCall): Promise<T> => threads.ask(space_id, call) as Promise<T>
  return {
    state: (spaceId) => ask<IndexState | undefined>(spaceId, { op: 'state' }),
    reset: async (spaceId, start) => {
      await ask<void>(spaceId, { op: 'reset', start })
      return { ...start, seq: 0 }
    },
    add: async (spaceId, base, entries) => ((await ask<boolean>(spaceId, { op: 'add', base, entries })) ? 'added' : 'refused'),
    advance: (spaceId, base, seq, versions) => ask<boolean>(spaceId, { op: 'advance', base, seq, versions }),
    search: async (spaceId, query) => unpacked(await ask<CandidateLists>(spaceId, { op: 'search', query })),
    frequencies: (spaceId, terms) => ask<Frequencies>(spaceId, { op: 'frequencies', terms }),
    contents: (spaceId, query) => ask<readonly IndexedChunk[]>(spaceId, { op: 'contents', query }),
    scrub: (spaceId) => ask<void>(spaceId, { op: 'scrub' }),
    drop: (spaceId) => ask<void>(spaceId, { op: 'drop' }),
    check: () => threads.check(),
    [Symbol.asyncDispose]: () => threads.stop(),
  }
}

class IndexThreads {
  readonly #host: IndexHost
  readonly #readers: ThreadPool
  readonly #writers: ThreadPool

  constructor(dir: string, logger: Logger) {
    this.#host = new IndexHost(dir)
    const size = Math.min(MOST_READERS, Math.max(2, availableParallelism()))
    const shared = { script: SCRIPT, data: dir, logger, maxWaiting: MAX_WAITING }
    this.#readers = new ThreadPool({ ...shared, size, isRepeatable: true })
    this.#writers = new ThreadPool({ ...shared, size: WRITERS, isRepeatable: false })
  }

  async check(): Promise<undefined> {
    await this.#host.claim()
  }

  async ask(spaceId: string, call: IndexCall): Promise<IndexResult> {
    await this.#host.claim()
    const pool = READS.has(call.op) ? this.#readers : this.#writers
    const options = { timeoutMs: timeLeft(), isShort: call.op === 'state' }
    const outcome = await pool.run(spaceId, call, options).catch((error: unknown) => {
      throw error instanceof AppError ? error : unavailable(error)
    })
    const { result, error, isFull, isLost } = outcome as IndexOutcome
    if (isFull) throw full()
    if (isLost) throw lost(error)
    if (error !== undefined) throw unavailable(new Error(error))
    return result
  }

  async stop(): Promise<void> {
    await Promise.all([this.#readers.stop(), this.#writers.stop()])
  }
}

const full = () =>
  new AppError('INSUFFICIENT_STORAGE', 'The disk of the search index is full; ask whoever runs this system to make room', {
    retryAfter: 60,
  })

const lost = (cause: unknown) =>
  new AppError(
    'SERVICE_UNAVAILABLE',
    'The search index of these documents was damaged and is made anew; try again in a few seconds',
    {
      retryAfter: 2,
      cause,
    },
  )

const unavailable = (cause: unknown) =>
  new AppError('SERVICE_UNAVAILABLE', 'The search index cannot be used right now; try again in a few seconds', {
    retryAfter: 5,
    cause,
  })
