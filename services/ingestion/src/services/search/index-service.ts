import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { detached } from '@youworker/runtime/current-request'
import { before, timeLeft } from '@youworker/runtime/timing/deadline'
import { UNKNOWN } from '../../analysis/unknown-language.ts'
import type { IndexableChunk, IndexChange, SpaceState } from '../../repositories/index-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { embeddable, type EmbeddingService } from './embedding-service.ts'
import { entriesOf } from './chunks/index-entries.ts'
import type { Added, IndexState, SearchIndex } from './search-index.ts'

interface IndexDependencies {
  readonly uow: IngestionUnitOfWork
  readonly index: SearchIndex
  readonly embeddings: EmbeddingService
  /** The version of the terms that the index has. */
  readonly terms: number
  /** Whether passages are added without a vector while the model does not answer, because another index will have them. */
  readonly mayLackVectors: () => boolean
  /** Waited for after each step, whose time in ms it gets. */
  readonly rest: (ms: number) => Promise<void>
  readonly logger: Logger
}

/** A space with documents, and the languages of its chunks. */
export interface IndexedSpace extends Pick<SpaceState, 'space_id' | 'seq' | 'languages'> {
  /** The index has not all of it yet, and was not waited for any longer. */
  readonly isBehind?: boolean
}

interface WaitOptions {
  /** Returns after this long at the latest, while the work goes on. In ms. */
  readonly waitMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const CHANGES = 100
const CHUNKS = 256

/** What others want of an index. */
export type Indexing = Pick<IndexService, 'bringUpToDate' | 'forget'>

/** Keeps the derived search index up to date with Postgres, and builds it anew where it is missing, broken or of another model. */
export class IndexService {
  readonly #uow: IngestionUnitOfWork
  readonly #index: SearchIndex
  readonly #embeddings: EmbeddingService
  readonly #logger: Logger
  readonly #options: Pick<IndexDependencies, 'terms' | 'mayLackVectors' | 'rest'>
  readonly #running = new Map<string, Promise<void>>()

  constructor({ uow, index, embeddings, logger, ...options }: IndexDependencies) {
    this.#uow = uow
    this.#index = index
    this.#embeddings = embeddings
    this.#logger = logger
    this.#options = options
  }

  /**
   * Applies all changes that Postgres holds now. Throws only without `waitMs`; with it, errors are logged. Resolves to those of the spaces
   * that have documents.
   */
  async bringUpToDate(spaceIds: readonly string[], { waitMs, signal }: WaitOptions = {}): Promise<readonly IndexedSpace[]> {
    const inUse = () => this.#uow.in(spaceIds).read(({ index }) => index.inUse(spaceIds))
    const states = await inUse()
    const behind = await (waitMs === undefined ? this.#behind(states) : this.#behindWithin(states, waitMs))
    if (behind.length === 0) return states
    const late = await this.#catchUpAll(behind, { waitMs, signal })
    return (await inUse()).map((state) => (late.has(state.space_id) ? { ...state, isBehind: true } : state))
  }

  /** Resolves to those that are not there yet. */
  async #catchUpAll(behind: readonly string[], { waitMs, signal }: WaitOptions): Promise<ReadonlySet<string>> {
    const late = new Set(behind)
    const work = detached(() => Promise.all(behind.map((id) => this.#catchUp(id).then(() => void late.delete(id)))))
    if (waitMs === undefined) {
      await abortable(work, signal)
      return late
    }
    const logged = work.catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'the search index could not be brought up to date'),
    )
    const { promise: waited, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, waitMs)
    await Promise.race([logged, waited])
    clearTimeout(timer)
    return late
  }

  /** Names what made the vectors and the terms of an index, so that one of something else is made anew. */
  get #model(): string {
    return `${this.#embeddings.model} ${this.#options.terms}`
  }

  /** Those of the spaces that have changes which the index has not. */
  async behind(spaceIds: readonly string[]): Promise<string[]> {
    return this.#behind(await this.#uow.in(spaceIds).read(({ index }) => index.inUse(spaceIds)))
  }

  async forget(spaceId: string): Promise<void> {
    await this.#running.get(spaceId)?.catch(() => {})
    await this.#index.drop(spaceId)
  }

  /** Removes what the index has of documents, without the changes that it has not seen yet. */
  async forgetDocuments(spaceId: string, documentIds: readonly string[]): Promise<void> {
    const gone = documentIds.map((document_id) => ({ document_id, generation: null, seq: Number.MAX_SAFE_INTEGER }))
    for (;;) {
      const state = await this.#index.state(spaceId)
      if (state === undefined || (await this.#index.advance(spaceId, state, state.seq, gone))) return
    }
  }

  async #behind(states: readonly SpaceState[]): Promise<string[]> {
    const files = await Promise.all(states.map(({ space_id }) => this.#index.state(space_id)))
    return states.filter((state, n) => !this.#isUpToDate(files[n], state)).map(({ space_id }) => space_id)
  }

  /** None when the index does not tell in time: whoever asks it next is told why. */
  async #behindWithin(states: readonly SpaceState[], waitMs: number): Promise<string[]> {
    try {
      return await before(Date.now() + Math.min(waitMs, timeLeft()), () => this.#behind(states))
    } catch (error) {
      this.#logger.warn({ err: error }, 'the search index did not tell whether it is up to date')
      return []
    }
  }

  #isUpToDate(file: IndexState | undefined, { epoch, seq }: SpaceState): boolean {
    return file?.epoch === epoch && file.model === this.#model && file.seq === seq
  }

  /** Runs once at a time per space. A caller that waits for a running pass starts another, because that one may have missed its change. */
  async #catchUp(spaceId: string): Promise<void> {
    const running = this.#running.get(spaceId)
    const work = (running ?? Promise.resolve()).catch(() => {}).then(() => this.#follow(spaceId))
    this.#running.set(spaceId, work)
    try {
      await work
    } finally {
      if (this.#running.get(spaceId) === work) this.#running.delete(spaceId)
    }
  }

  /** Applies batches until the index is up to date; reads its state anew each time, because other processes write it too. */
  async #follow(spaceId: string): Promise<void> {
    for (;;) {
      const [space] = await this.#uow.in([spaceId]).read(({ index }) => index.inUse([spaceId]))
      if (!space) return
      const file = await this.#index.state(spaceId)
      if (this.#isUpToDate(file, space)) return
      const base = file && this.#follows(file, space) ? file : await this.#reset(space)
      await this.#step(space, base)
    }
  }

  #follows(file: IndexState, space: SpaceState): boolean {
    return file.epoch === space.epoch && file.model === this.#model && file.seq <= space.seq
  }

  async #reset({ space_id, epoch }: SpaceState): Promise<IndexState> {
    const state = await this.#index.reset(space_id, { epoch, model: this.#model })
    this.#logger.info({ space_id }, 'the search index of a space is built anew')
    return state
  }

  /** Applies the next batch. Stops without an error when another process has applied it. */
  async #step({ space_id, seq, languages }: SpaceState, base: IndexState): Promise<void> {
    const changes = await this.#uow.in([space_id]).read(({ index }) => index.changes(space_id, base.seq, CHANGES))
    const met = new Set<string>()
    for (const some of together(changes)) {
      const added = await this.#addVersions(space_id, base, some, met)
      if (added === 'late') for (const version of some) await this.#settle(space_id, base, version)
      if (added !== 'added') return
    }
    // Before the index is at `last`, because from then on a question is asked in the languages that are known.
    const unknown = [...met].filter((language) => !languages.includes(language))
    if (unknown.length > 0) await this.#uow.in([space_id]).write(({ index }) => index.addLanguages(space_id, unknown))
    const last = changes.length < CHANGES ? Math.max(seq, changes.at(-1)?.seq ?? 0) : (changes.at(-1)?.seq ?? seq)
    await this.#index.advance(space_id, base, last, changes)
  }

  async #addVersions(spaceId: string, base: IndexState, versions: readonly Version[], languages: Set<string>): Promise<Added> {
    const seqs = new Map(versions.map(({ document_id, seq }) => [document_id, seq]))
    for (let from = 0; ;) {
      const started = performance.now()
      const chunks = await this.#chunks(spaceId, versions, from)
      const entries = await entriesOf(chunks, (id) => seqs.get(id) ?? base.seq)
      for (const { language } of chunks) languages.add(language ?? UNKNOWN)
      const added = entries.length === 0 ? 'added' : await this.#index.add(spaceId, base, entries)
      await this.#options.rest(performance.now() - started)
      if (added !== 'added' || versions.length > 1 || chunks.length < CHUNKS) return added
      from = (chunks.at(-1)?.index ?? from) + 1
    }
  }

  /** A version that came late has perhaps been replaced in the index before: then it is applied once more, with a number of its own. */
  async #settle(spaceId: string, base: IndexState, { document_id, seq }: Version): Promise<void> {
    const scope = this.#uow.in([spaceId])
    const [space] = await scope.read(({ index }) => index.inUse([spaceId]))
    if (!space) return this.#index.drop(spaceId)
    const file = await this.#index.state(spaceId)
    const [present] = await scope.read(({ index }) => index.changes(spaceId, seq - 1, 1))
    if (file?.part === base.part && present?.seq === seq) return
    await scope.write(async ({ index }) => index.record(spaceId, document_id, (await index.next(spaceId)).seq))
  }

  /** The chunks with their vectors: all of several versions, or those of one from a position on. Embeds first those without one, as after a change of the model. */
  async #chunks(spaceId: string, versions: readonly Version[], from: number): Promise<readonly IndexableChunk[]> {
    const scope = this.#uow.in([spaceId])
    const [only] = versions
    const { model } = this.#embeddings
    const query = () =>
      scope.read(({ index }) =>
        only && versions.length === 1
          ? index.chunks({ ...only, from, model, limit: CHUNKS })
          : index.chunksOfAll(versions, model),
      )
    const chunks = await this.#withLanguages(spaceId, await query())
    const missing = chunks.filter(({ vector }) => vector === null)
    if (missing.length === 0) return chunks
    const texts = missing.map((chunk) => ({ text: embeddable(chunk).text, text_hash: chunk.text_hash }))
    try {
      await this.#embeddings.ensure(spaceId, texts, { write: (work) => scope.write(work) })
    } catch (error) {
      if (!(error instanceof AppError) || !this.#options.mayLackVectors()) throw error
    }
    return query()
  }

  /** Files that were read before languages were told. Once for each, because what tells them is large. */
  async #withLanguages(spaceId: string, chunks: readonly IndexableChunk[]): Promise<readonly IndexableChunk[]> {
    const untold = chunks.filter(({ language }) => language === null)
    if (untold.length === 0) return chunks
    const { languageOf } = await import('../../analysis/language.ts')
    const told = new Map(untold.map(({ chunk_id, text }) => [chunk_id, languageOf(text)]))
    await this.#uow.in([spaceId]).write(({ index }) => index.setLanguages(spaceId, told))
    return chunks.map((chunk) => ({ ...chunk, language: chunk.language ?? told.get(chunk.chunk_id) ?? UNKNOWN }))
  }
}

interface Version {
  readonly document_id: string
  readonly generation: number
  readonly seq: number
}

/** The versions that are there, short ones with others, because a call for each would cost more than its chunks. */
function together(changes: readonly IndexChange[]): Version[][] {
  const groups: Version[][] = []
  let room = 0
  for (const { document_id, generation, seq, chunk_count } of changes) {
    if (generation === null) continue
    const size = Math.max(1, chunk_count ?? CHUNKS)
    if (size > room) {
      groups.push([])
      room = CHUNKS
    }
    groups.at(-1)?.push({ document_id, generation, seq })
    room -= size
  }
  return groups
}

/** Rejects when the signal aborts; the work itself goes on. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error('stopped'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
