import { hash } from 'node:crypto'
import type { Schemas } from '@qdrant/js-client-rest'
import type { Logger } from '@youworker/runtime/logger'
import { innerMessage } from '@youworker/runtime/text/inner-text'
import { z } from 'zod'
import type {
  Added,
  Candidate,
  Candidates,
  ContentsQuery,
  Frequencies,
  IndexedChunk,
  IndexedVersion,
  IndexEntry,
  IndexQuery,
  IndexState,
  SearchIndex,
} from '../../services/search/search-index.ts'
import { Collection } from './collection.ts'
import { DENSE, pointOf } from './points.ts'
import { QdrantApi, type QdrantOptions } from './qdrant-api.ts'
import { isMissing } from './qdrant-error.ts'
import { denseQuestion, ofDocuments, ofSpace, textQuestion } from './questions.ts'
import { Done, type PartState, SpaceStates } from './space-states.ts'
import { TermStatistics } from './term-statistics.ts'

interface IndexOptions extends QdrantOptions {
  /** Of the embeddings; each model has a collection of its own. */
  readonly model: string
  /** How many numbers its vectors have; asked when the collection is made. */
  readonly dimensions: () => Promise<number>
  readonly logger: Logger
}

export interface QdrantIndex extends SearchIndex {
  /** Names this collection as the one that is searched, for whoever reads the alias. */
  activate(): Promise<void>
}

/** Points of one request: some MB with long vectors; Qdrant takes 32 MB. */
const UPSERT = 100
const NOTHING: Candidates = { dense: [], lexical: [] }

const Found = z.array(
  z.object({
    points: z.array(z.object({ id: z.string(), score: z.number(), payload: z.object({ generation: z.int() }) })),
  }),
)
const Page = z.object({
  points: z.array(z.object({ id: z.string(), payload: z.object({ document_id: z.string(), generation: z.int() }) })),
})
const Ids = z.object({ points: z.array(z.object({ id: z.string() })) })

/**
 * The search index in a Qdrant server, for any number of ingestion processes on any number of machines. One collection holds the chunks of
 * all spaces; every question and every removal is for one space.
 */
export function createQdrantIndex({ model, dimensions, logger, ...options }: IndexOptions): QdrantIndex {
  const api = new QdrantApi(options)
  return new CollectionIndex(api, new Collection(api, collectionName(model), dimensions), logger)
}

/** Readable, and another one for each name. */
export function collectionName(model: string): string {
  const readable = model
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
  return `youworker-${readable}-${hash('sha256', model).slice(0, 8)}`
}

class CollectionIndex implements QdrantIndex {
  readonly #api: QdrantApi
  readonly #collection: Collection
  readonly #states: SpaceStates
  readonly #statistics: TermStatistics
  readonly #logger: Logger

  constructor(api: QdrantApi, collection: Collection, logger: Logger) {
    this.#api = api
    this.#collection = collection
    this.#states = new SpaceStates(api, collection.name)
    this.#statistics = new TermStatistics(api, collection.name)
    this.#logger = logger
  }

  state(spaceId: string): Promise<IndexState | undefined> {
    return this.#states.get(spaceId)
  }

  async reset(spaceId: string, start: Pick<IndexState, 'epoch' | 'model'>): Promise<IndexState> {
    this.#collection.forget()
    await this.#collection.ensure()
    const state = await this.#states.start(spaceId, start)
    await this.#remove({ must: [ofSpace(spaceId)], must_not: [{ key: 'part', match: { value: state.part } }] })
    return state
  }

  async add(spaceId: string, base: IndexState, entries: readonly IndexEntry[]): Promise<Added> {
    const state = await this.#stateAt(spaceId, base)
    const facts = await this.#collection.facts()
    if (!state || !facts) return 'refused'
    const points = entries.map((entry) => pointOf(entry, { space_id: spaceId, part: state.part, size: facts.size }))
    for (let at = 0; at < points.length; at += UPSERT) await this.#upsert(points.slice(at, at + UPSERT))
    // Another process may have gone on meanwhile, and have removed what these points belong to before they came.
    return (await this.#stateAt(spaceId, base)) ? 'added' : 'late'
  }

  async advance(spaceId: string, base: IndexState, seq: number, versions: readonly IndexedVersion[]): Promise<boolean> {
    const state = await this.#stateAt(spaceId, base)
    if (!state) return false
    const remove = async () => {
      if (versions.length > 0) await this.#remove({ must: [ofSpace(spaceId)], should: versions.map(replacedBy) })
    }
    await remove()
    const isAdvanced = await this.#states.advance(spaceId, state, seq)
    // Once more: another process may have added an old version after the first time, when the state said that it still could.
    if (isAdvanced) await remove()
    return isAdvanced
  }

  async search(spaceId: string, query: IndexQuery): Promise<Candidates> {
    const facts = await this.#collection.facts()
    if (!facts || query.document_ids?.length === 0) return NOTHING
    const terms = query.terms ?? []
    const isWorded = terms.some(({ use }) => use !== 'not')
    const state = isWorded && !facts.weighsRarity ? await this.#states.get(spaceId) : undefined
    const rarities = state && (await this.#statistics.rarities(spaceId, state, terms))
    if (isWorded && !facts.weighsRarity && !rarities) return NOTHING
    const questions = {
      dense: denseQuestion(spaceId, query, facts.size),
      lexical: textQuestion(spaceId, query, { rarities }),
    }
    return this.#ask(questions)
  }

  async frequencies(spaceId: string, terms: readonly string[]): Promise<Frequencies> {
    const state = await this.#states.get(spaceId)
    return state ? this.#statistics.frequencies(spaceId, state, terms) : { chunks: 0, counts: terms.map(() => 0) }
  }

  /** Points are ordered by their ids, which are those of chunks. */
  async contents(spaceId: string, { document_id, after, limit }: ContentsQuery): Promise<readonly IndexedChunk[]> {
    const must: Schemas['Condition'][] = [ofSpace(spaceId), ...(document_id === undefined ? [] : [ofDocuments([document_id])])]
    const common = { collection_name: this.#collection.name, limit: limit + 1, ...(after === undefined ? {} : { offset: after }) }
    try {
      const [page, lacking] = await Promise.all([
        this.#api.read('scroll', Page, ({ scrollPoints }, { init, timeout }) =>
          scrollPoints(
            { ...common, filter: { must }, with_payload: ['document_id', 'generation'], with_vector: false, timeout },
            init,
          ),
        ),
        this.#api.read('scroll', Ids, ({ scrollPoints }, { init, timeout }) =>
          scrollPoints(
            { ...common, filter: { must, must_not: [{ has_vector: DENSE }] }, with_payload: false, with_vector: false, timeout },
            init,
          ),
        ),
      ])
      const withoutVector = new Set(lacking.points.map(({ id }) => id))
      const behind = page.points.filter(({ id }) => id !== after).slice(0, limit)
      return behind.map(({ id, payload }) => ({ chunk_id: id, ...payload, has_vector: !withoutVector.has(id) }))
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  }

  /** Qdrant rewrites its segments itself, and a point has no text. */
  async scrub(): Promise<void> {}

  async drop(spaceId: string): Promise<void> {
    if (!(await this.#collection.facts())) return
    await this.#states.remove(spaceId).catch(unlessMissing)
    await this.#remove({ must: [ofSpace(spaceId)] }).catch(unlessMissing)
  }

  /** Without Qdrant this process still takes files and serves documents, so that it is not down. */
  async check(): Promise<string | undefined> {
    try {
      await this.#collection.version()
      return undefined
    } catch (error) {
      this.#logger.debug({ err: error }, 'Qdrant cannot be used')
      return `${innerMessage(error)}. Documents and uploads go on; searches and files wait for it`
    }
  }

  activate(): Promise<void> {
    return this.#collection.activate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#api[Symbol.dispose]()
  }

  async #stateAt(spaceId: string, { epoch, model, seq, part }: IndexState): Promise<PartState | undefined> {
    const state = await this.#states.get(spaceId)
    const isSame = state?.part === part && state?.epoch === epoch && state.model === model && state.seq === seq
    return isSame ? state : undefined
  }

  async #upsert(points: Schemas['PointStruct'][]): Promise<void> {
    await this.#api.write('upsert', Done, ({ upsertPoints }, { init }) =>
      upsertPoints({ collection_name: this.#collection.name, points, wait: true }, init),
    )
  }

  async #remove(filter: Schemas['Filter']): Promise<void> {
    await this.#api.write('delete', Done, ({ deletePoints }, { init }) =>
      deletePoints({ collection_name: this.#collection.name, filter, wait: true }, init),
    )
  }

  /** Both lists in one request. */
  async #ask({
    dense,
    lexical,
  }: {
    dense: Schemas['QueryRequest'] | undefined
    lexical: Schemas['QueryRequest'] | undefined
  }): Promise<Candidates> {
    const searches = [dense, lexical].filter((question) => question !== undefined)
    if (searches.length === 0) return NOTHING
    try {
      const found = await this.#api.read('query', Found, ({ queryBatchPoints }, { init, timeout }) =>
        queryBatchPoints({ collection_name: this.#collection.name, searches, timeout }, init),
      )
      const lists = found.map(({ points }) => points.filter(({ score }) => score > 0).map(candidate))
      return { dense: (dense && lists[0]) ?? [], lexical: (lexical && lists.at(-1)) ?? [] }
    } catch (error) {
      if (!isMissing(error)) throw error
      this.#collection.forget()
      return NOTHING
    }
  }
}

const candidate = ({ id, score, payload }: z.output<typeof Found>[number]['points'][number]): Candidate => ({
  chunk_id: id,
  generation: payload.generation,
  score,
})

/** What a document had before the change. Later changes have brought theirs with higher numbers. */
const replacedBy = ({ document_id, seq }: IndexedVersion): Schemas['Filter'] => ({
  must: [ofDocuments([document_id]), { key: 'seq', range: { lt: seq } }],
})

function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error
}
