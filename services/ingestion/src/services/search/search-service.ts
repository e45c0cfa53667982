import { AppError } from '@youworker/contracts/errors'
import {
  DEEPEST_HIT,
  type LeftOut,
  namedSpaces,
  type SearchAnswer,
  type SearchHit,
  type SearchQuery,
} from '@youworker/contracts/documents/search'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { topicalTerms } from '../../analysis/analyse.ts'
import { type ParsedQuery, parseQuery, plainQuery, queryTerms } from '../../analysis/query.ts'
import type { SharedCollection } from '../../repositories/sharing/grant-repository.ts'
import type { ChunkHit, ChunkRef } from '../../repositories/search-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { type Readable, readableOf, type SpaceAccess } from '../space-access.ts'
import type { Generation } from './generations/generation.ts'
import type { Generations } from './generations/generations.ts'
import { StoreSearch } from '../stores/store-search.ts'
import { type FoundChunk, hitOf, languageOfRow, MAX_TWINS, withinReply } from './hit-view.ts'
import type { IndexedSpace } from './index-service.ts'
import { diversified } from './ranking/diversity.ts'
import { NO_TRUST } from './ranking/embedding-trust.ts'
import { Reranking } from './rerank/reranking.ts'
import type { Reranker } from './rerank/reranker.ts'
import { type Found, type Question, scopeOf, type SearchedSpace } from './retrieval.ts'

interface SearchDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly generations: Pick<Generations, 'active'>
  readonly reranker: Reranker | undefined
  readonly logger: Logger
  readonly sealer: Sealer
}

interface Prepared {
  /** Used to the end of the search, also when another index takes its place meanwhile. */
  readonly generation: Generation
  readonly question: Question
  readonly spaces: readonly SearchedSpace[]
}

/** The hits in the order that is answered. */
export interface OrderedHits extends Pick<SearchAnswer, 'rerank'> {
  readonly found: Found
  readonly hits: readonly FoundChunk[]
}

type Searched = SearchAnswer & { searched?: string[] | undefined }

const EMBED_TIMEOUT_MS = 5_000
/** Longest wait for an index that is behind; then the search uses it as it is. In ms. */
const CATCH_UP_MS = 4_000
/** Half of the time that is left is kept for the search itself. */
const atMost = (ms: number): number => Math.max(1, Math.floor(Math.min(ms, timeLeft() / 2)))
/** Hits with the same text are one, so some more are read than are shown. */
const SPARE = 10

/** Finds passages in everything a caller may read, and in nothing else. */
export class SearchService {
  readonly #deps: SearchDependencies
  readonly #reranking: Reranking
  readonly #stores: StoreSearch

  constructor(dependencies: SearchDependencies) {
    this.#deps = dependencies
    this.#stores = new StoreSearch(dependencies)
    this.#reranking = new Reranking(dependencies.reranker, dependencies.logger)
  }

  async search(query: SearchQuery, context: UserContext): Promise<Searched> {
    const started = performance.now()
    const readable = await this.#readable(query, context)
    const { ids, all, complete } = readable
    const inStores = await this.#stores.narrow(query, ids, context)
    const asked = inStores?.query ?? query
    const where = inStores ? readableOf({ ids: inStores.spaces, complete }, []) : readable
    const prepared = await this.prepare(asked, where, context.signal)
    const { results, ...rest } = await this.#answer(asked, prepared, context.signal)
    const answer = { results: inStores ? await inStores.told(results) : results, ...rest }
    const took_ms = Math.round((performance.now() - started) * 10) / 10
    metrics.searchDuration.observe({ mode: query.mode }, took_ms / 1_000)
    const isPoor = prepared.question.isPoor === true
    const leftOut: LeftOut[] = [
      ...(complete || inStores ? [] : (['groups'] as const)),
      ...(prepared.spaces.some(({ isBehind }) => isBehind) ? (['index'] as const) : []),
    ]
    const incomplete = leftOut.length === 0 ? {} : { incomplete: leftOut }
    const words = isPoor ? { words_only: true as const } : {}
    return {
      ...answer,
      ...incomplete,
      ...words,
      took_ms,
      searched: leftOut.length === 0 && !isPoor ? namedSpaces(all) : undefined,
    }
  }

  /** The question as the index is asked it, and those of the spaces that have documents. */
  async prepare(query: SearchQuery, { all, shared }: Pick<Readable, 'all' | 'shared'>, signal: AbortSignal): Promise<Prepared> {
    const generation = await this.#deps.generations.active()
    const [question, spaces] = await Promise.all([
      this.#question(query, generation, signal),
      generation.indexing.bringUpToDate(all, { waitMs: atMost(CATCH_UP_MS) }),
    ])
    return { generation, question, spaces: spaces.map((space) => withParts(space, shared)) }
  }

  /** Hits with the same text are one. As many are ranked as the page and the reranker need. */
  async ordered(query: SearchQuery, { generation, spaces, question }: Prepared, signal: AbortSignal): Promise<OrderedHits> {
    const needed = Math.max(query.offset + query.top_k, query.rerank ? this.#reranking.candidates : 0) + SPARE
    const found = await generation.retrieval.find(query, spaces, question, Math.min(DEEPEST_HIT, needed))
    const whole = (hits: readonly FoundChunk[]) => wholeOf(hits, found)
    const { hits, ...told } = await this.#reranking.order(folded(found), { query, asked: question.asked, signal, whole })
    return { found, hits: inOrder(query, hits, found), ...told }
  }

  async #answer(query: SearchQuery, prepared: Prepared, signal: AbortSignal): Promise<Omit<SearchAnswer, 'took_ms'>> {
    const { top_k, offset } = query
    const { found, hits, rerank } = await this.ordered(query, prepared, signal)
    const shown = await wholeOf(hits.slice(offset, offset + top_k), found)
    const results = withinReply(await this.#views(query, prepared.spaces, shown, prepared.question))
    const next = offset + results.length
    return {
      results,
      ...(rerank === undefined ? {} : { rerank }),
      ...(results.length > 0 && hits.length > next && next < DEEPEST_HIT ? { next_offset: next } : {}),
    }
  }

  async #views(
    { context }: SearchQuery,
    spaces: readonly SearchedSpace[],
    hits: readonly FoundChunk<ChunkHit>[],
    { asked }: Question,
  ): Promise<SearchHit[]> {
    const { ids, all, shared } = scopeOf(spaces)
    const rows = hits.map(({ row }) => row)
    const around =
      context === 0 ? [] : await this.#deps.uow.in(ids, shared).read(({ searches }) => searches.around(all, rows, context))
    const terms = queryTerms(asked, [...new Set(spaces.flatMap(({ languages }) => languages))])
    return hits.map((hit) => {
      const own = around.filter(
        ({ document_id, index }) => document_id === hit.row.document_id && Math.abs(index - hit.row.index) <= context,
      )
      const others = own.filter(({ chunk_id }) => chunk_id !== hit.row.chunk_id)
      const shown = hitOf(hit, terms, others)
      if (!shared.some(({ space_id }) => space_id === hit.row.space_id)) return shown
      // It counts how often a word stands in all documents of the space.
      const { lexical_score: _count, ...rest } = shown
      return rest
    })
  }

  async #readable({ group_id, space_id }: SearchQuery, context: UserContext): Promise<Readable> {
    const wanted = [...new Set([group_id, space_id].filter((id) => id !== undefined))]
    if (wanted.length === 0) return this.#deps.access.readable(context)
    for (const id of wanted) await this.#deps.access.require(context, id)
    return readableOf({ ids: wanted.length === 1 ? wanted : [], complete: true }, [])
  }

  /** When the model does not answer, a hybrid search uses only the words. */
  async #question({ query, mode }: SearchQuery, generation: Generation, signal: AbortSignal): Promise<Question> {
    const asked = parseQuery(query)
    if (mode === 'lexical') return { asked, trust: NO_TRUST }
    try {
      return await this.#embedded(asked, generation, signal)
    } catch (error) {
      if (mode === 'dense' || signal.aborted || !(error instanceof AppError)) throw error
      this.#deps.logger.warn({ code: error.code }, 'a hybrid search went on without the embedding model')
      return { asked, trust: NO_TRUST, isPoor: true }
    }
  }

  async #embedded(asked: ParsedQuery, { embedder, trust: trusts }: Generation, signal: AbortSignal): Promise<Question> {
    const timeoutMs = atMost(EMBED_TIMEOUT_MS)
    const [[vector], trust] = await Promise.all([
      embedder.embed([plainQuery(asked)], { as: 'query', signal, timeoutMs }),
      trusts.get(timeoutMs),
    ])
    return { asked, trust, vector: vector && new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) }
  }
}

/** Those that still count, with their texts; most were read already. */
async function wholeOf(hits: readonly FoundChunk[], { read }: Found): Promise<FoundChunk<ChunkHit>[]> {
  await read.read(
    [],
    hits.flatMap(({ row, twins }) => [row, ...twins.slice(0, MAX_TWINS)].map(({ chunk_id }) => chunk_id)),
  )
  return hits.flatMap(({ ranked, row, twins }) => {
    const [whole, others] = [read.hit(row.chunk_id), twins.flatMap(({ chunk_id }) => read.hit(chunk_id) ?? [])]
    return whole ? [{ ranked, row: whole, twins: others }] : []
  })
}

function withParts(space: IndexedSpace, shared: readonly SharedCollection[]): SearchedSpace {
  const parts = shared.filter(({ space_id }) => space_id === space.space_id)
  return parts.length === 0 ? space : { ...space, parts }
}

/** The hits with those of the same text as one. */
function folded({ ranked, known }: Found): FoundChunk[] {
  const byText = new Map<string, { ranked: FoundChunk['ranked']; row: ChunkRef; twins: ChunkRef[] }>()
  for (const each of ranked) {
    const row = known.get(each.chunk_id)
    if (!row) continue
    const before = byText.get(row.text_key)
    if (before) before.twins.push(row)
    else byText.set(row.text_key, { ranked: each, row, twins: [] })
  }
  return [...byText.values()]
}

/** In the order of their scores or so that few repeat one above them. */
const inOrder = ({ diversity }: SearchQuery, hits: readonly FoundChunk[], { read }: Found): FoundChunk[] =>
  diversified(hits, {
    diversity,
    scoreOf: (hit) => hit.ranked.score,
    wordsOf: ({ row }) => new Set(topicalTerms(read.hit(row.chunk_id)?.text ?? '', languageOfRow(row))),
  })
