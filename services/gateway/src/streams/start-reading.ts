import type { RunEntry } from '@youworker/contracts/agent/run-log'
import type { LiveListener } from '@youworker/messaging/live/live'
import { newId } from '@youworker/runtime/id'
import type { RequestContext } from '../http/request-context.ts'
import type { EntrySource, EntrySourceOf } from './entry-source.ts'

interface Started {
  readonly run_id: string
  /** Number of the last entry that the start itself wrote. */
  readonly last_entry?: number | undefined
  /** All of a run that has ended. */
  readonly entries?: readonly RunEntry[] | undefined
}

interface Reading<T> {
  readonly started: T
  readonly source: EntrySource
  /** Until here the source has all entries live; `undefined` when the log has to be read first. */
  readonly liveFrom?: number | undefined
}

/** Entries of a start that takes long. */
const MAX_EARLY = 1_000

/**
 * Starts a run under an id that is subscribed to before, so that its entries come live from the first one on. A repeated request is
 * answered with the run that it started before, which is read from the log.
 */
export async function startReading<T extends Started>(
  sourceOf: EntrySourceOf,
  context: RequestContext,
  start: (run_id: string) => Promise<T>,
): Promise<Reading<T>> {
  const run_id = newId()
  const early = new EarlySource(sourceOf(run_id, context))
  try {
    const started = await start(run_id)
    early.add(started.entries)
    if (started.run_id === run_id) return { started, source: early, liveFrom: started.last_entry }
    early[Symbol.dispose]()
    return { started, source: sourceOf(started.run_id, context) }
  } catch (error) {
    early[Symbol.dispose]()
    throw error
  }
}

/** Keeps what arrives until there is a reader. */
class EarlySource implements EntrySource, Disposable {
  readonly readPage: EntrySource['readPage']
  readonly onReconnect: EntrySource['onReconnect']
  readonly #live: Disposable
  readonly #early: Parameters<LiveListener>[] = []
  #listener: LiveListener = (...entry) => {
    if (this.#early.length < MAX_EARLY) this.#early.push(entry)
  }

  constructor(source: EntrySource) {
    this.readPage = source.readPage.bind(source)
    this.onReconnect = source.onReconnect.bind(source)
    this.#live = source.subscribe((...entry) => this.#listener(...entry))
  }

  /** Entries that came with the reply, as if they had come live. */
  add(entries: readonly RunEntry[] = []): void {
    for (const entry of entries) this.#listener(entry, Buffer.byteLength(JSON.stringify(entry)))
  }

  subscribe(listener: LiveListener): Disposable {
    this.#listener = listener
    for (const entry of this.#early.splice(0)) listener(...entry)
    return this
  }

  [Symbol.dispose](): void {
    this.#live[Symbol.dispose]()
  }
}
