import { Worker } from 'node:worker_threads'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import type { Candidates, Frequencies, IndexedChunk, IndexState, SearchIndex } from '../../services/search/search-index.ts'
import { IndexHost } from './index-host.ts'
import type { IndexCall, IndexReply, IndexRequest, IndexResult } from './index-worker.ts'

interface Waiting {
  resolve(result: IndexResult): void
  reject(error: unknown): void
}

/**
 * The search index without a server: one SQLite file per space in a folder. Processes of one machine share the folder; SQLite's
 * write-ahead log does not work across machines, so those need an index server.
 */
export function createEmbeddedIndex(dir: string, { logger }: { logger: Logger }): SearchIndex {
  const thread = new IndexThread(dir, logger)
  // Each kind of call has its own type of result, which the message cannot show.
  const ask = <T>(space_id: string, call: IndexCall): Promise<T> => thread.ask(space_id, call) as Promise<T>
  return {
    state: (spaceId) => ask<IndexState | undefined>(spaceId, { op: 'state' }),
    reset: (spaceId, start) => ask<void>(spaceId, { op: 'reset', start }),
    add: (spaceId, base, entries) => ask<boolean>(spaceId, { op: 'add', base, entries }),
    advance: (spaceId, base, seq, versions) => ask<boolean>(spaceId, { op: 'advance', base, seq, versions }),
    search: (spaceId, query) => ask<Candidates>(spaceId, { op: 'search', query }),
    frequencies: (spaceId, terms) => ask<Frequencies>(spaceId, { op: 'frequencies', terms }),
    contents: (spaceId, query) => ask<readonly IndexedChunk[]>(spaceId, { op: 'contents', query }),
    scrub: (spaceId) => ask<void>(spaceId, { op: 'scrub' }),
    drop: (spaceId) => ask<void>(spaceId, { op: 'drop' }),
    check: () => thread.check(),
    [Symbol.asyncDispose]: () => thread.stop(),
  }
}

/** Starts its worker thread at the first call, and again after the thread ended. */
class IndexThread {
  readonly #dir: string
  readonly #logger: Logger
  readonly #host: IndexHost
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #lastId = 0
  #stopped = false

  constructor(dir: string, logger: Logger) {
    this.#dir = dir
    this.#logger = logger
    this.#host = new IndexHost(dir)
  }

  check(): Promise<void> {
    return this.#host.claim()
  }

  async ask(space_id: string, call: IndexCall): Promise<IndexResult> {
    await this.#host.claim()
    if (this.#stopped) throw unavailable('the process is stopping')
    const id = (this.#lastId += 1)
    const request: IndexRequest = { id, space_id, call }
    const { promise, resolve, reject } = Promise.withResolvers<IndexResult>()
    this.#waiting.set(id, { resolve, reject })
    this.#started().postMessage(request)
    return promise
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#worker?.terminate()
  }

  #started(): Worker {
    if (this.#worker) return this.#worker
    const worker = new Worker(new URL('./index-worker.ts', import.meta.url), { workerData: this.#dir })
    worker.on('message', (reply: IndexReply) => this.#settle(reply))
    worker.on('error', (error) => this.#logger.error({ err: error }, 'the thread of the search index failed'))
    worker.on('exit', () => this.#ended(worker))
    worker.unref()
    this.#worker = worker
    return worker
  }

  #settle(reply: IndexReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) waiting?.reject(reply.isFull ? full() : unavailable(reply.error))
    else waiting?.resolve(reply.result)
  }

  #ended(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(unavailable('its thread ended'))
    this.#waiting.clear()
  }
}

const full = () =>
  new AppError('INSUFFICIENT_STORAGE', 'The disk of the search index is full; ask whoever runs this system to make room', {
    retryAfter: 60,
  })

const unavailable = (why: string) =>
  new AppError('SERVICE_UNAVAILABLE', 'The search index cannot be used right now; try again in a few seconds', {
    retryAfter: 5,
    cause: new Error(why),
  })
