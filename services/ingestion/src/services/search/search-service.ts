import { AppError } from '@youworker/contracts/errors'
import { namedSpaces, type SearchAnswer, type SearchHit, type SearchQuery } from '@youworker/contracts/documents/search'
import { LIMITS } from '@youworker/contracts/limits'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import type { ChunkHit } from '../../repositories/document-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { Embedder } from './embedding-service.ts'
import type { IndexService } from './index-service.ts'
import { rank, type Ranked } from './rank-fusion.ts'
import type { Candidates, IndexQuery, SearchIndex } from './search-index.ts'
import { searchTerms } from './search-terms.ts'
import { snippetOf } from './snippet.ts'
import type { SpaceAccess, Spaces } from '../space-access.ts'

interface SearchDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly index: SearchIndex
  readonly indexing: IndexService
  readonly embedder: Embedder
  readonly logger: Logger
}

interface Question extends Pick<IndexQuery, 'vector' | 'terms'> {
  /** The model that was to understand it did not answer. */
  readonly isPoor?: true
}

const EMBED_TIMEOUT_MS = 5_000
/** Longest wait for an index that is behind; then the search uses it as it is. In ms. */
const CATCH_UP_MS = 4_000
/** Half of the time that is left is kept for the search itself. */
const atMost = (ms: number): number => Math.max(1, Math.floor(Math.min(ms, timeLeft() / 2)))
const MAX_FILTERED_DOCUMENTS = 20_000
const MIN_CANDIDATES = 50
/** In bytes; leaves 32 KiB for the rest of the reply. */
const MAX_REPLY = LIMITS.wire - 32 * 1024

/** Finds passages in everything a caller may read, and in nothing else. */
export class SearchService {
  readonly #deps: SearchDependencies

  constructor(dependencies: SearchDependencies) {
    this.#deps = dependencies
  }

  async search(query: SearchQuery, context: UserContext): Promise<SearchAnswer & { searched?: string[] | undefined }> {
    const started = performance.now()
    const { ids: spaces, complete } = await this.#spaces(query, context)
    const [question, indexed] = await Promise.all([
      this.#question(query, context),
      this.#deps.indexing.bringUpToDate(spaces, { waitMs: atMost(CATCH_UP_MS) }),
    ])
    const results = await this.#find(query, indexed, question)
    const took_ms = Math.round((performance.now() - started) * 10) / 10
    metrics.searchDuration.observe({ mode: query.mode }, took_ms / 1_000)
    return { results, took_ms, searched: complete && !question.isPoor ? namedSpaces(spaces) : undefined }
  }

  async #spaces({ group_id }: SearchQuery, context: UserContext): Promise<Spaces> {
    if (group_id === undefined) return this.#deps.access.of(context)
    await this.#deps.access.require(context, group_id)
    return { ids: [group_id], complete: true }
  }

  /** When the model does not answer, a hybrid search uses only the words. */
  async #question({ query, mode }: SearchQuery, { signal }: UserContext): Promise<Question> {
    const terms = mode === 'dense' ? undefined : searchTerms(query)
    if (mode === 'lexical') return { terms }
    try {
      const [vector] = await this.#deps.embedder.embed([query], { signal, timeoutMs: atMost(EMBED_TIMEOUT_MS) })
      return { terms, vector: vector && new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) }
    } catch (error) {
      if (mode === 'dense' || signal.aborted || !(error instanceof AppError)) throw error
      this.#deps.logger.warn({ code: error.code }, 'a hybrid search went on without the embedding model')
      return { terms, isPoor: true }
    }
  }

  async #find(query: SearchQuery, spaces: readonly string[], question: Question): Promise<SearchHit[]> {
    for (let limit = Math.max(MIN_CANDIDATES, 4 * query.top_k); ; limit *= 8) {
      const candidates = await this.#candidates(query, spaces, { ...question, limit })
      const known = await this.#known(query, spaces, candidates)
      const current = { dense: candidates.dense.filter(isIn(known)), lexical: candidates.lexical.filter(isIn(known)) }
      const ranked = rank(query.mode, current).slice(0, query.top_k)
      const isFull = Math.max(candidates.dense.length, candidates.lexical.length) >= limit
      // Too many candidates belonged to replaced versions, so a longer list is searched.
      const looksOnce = ranked.length < query.top_k && isFull && limit <= 4 * LIMITS.listRows
      if (!looksOnce) return withinReply(ranked.flatMap((entry) => toHit(entry, known.get(entry.chunk_id), question.terms ?? [])))
    }
  }

  async #candidates({ tags, collection }: SearchQuery, spaces: readonly string[], query: IndexQuery): Promise<Candidates> {
    const isFiltered = (tags !== undefined && tags.length > 0) || collection !== undefined
    const perSpace = spaces.map(async (spaceId) => {
      if (!isFiltered) return this.#deps.index.search(spaceId, query)
      const filter = { tags, collection }
      const document_ids = await this.#deps.uow
        .in([spaceId])
        .read(({ documents }) => documents.idsWith(spaceId, filter, MAX_FILTERED_DOCUMENTS))
      if (document_ids.length === 0) return { dense: [], lexical: [] }
      return this.#deps.index.search(spaceId, { ...query, document_ids })
    })
    const found = await Promise.all(perSpace)
    return { dense: found.flatMap(({ dense }) => dense), lexical: found.flatMap(({ lexical }) => lexical) }
  }

  /** Only candidates of a current version in the caller's spaces: Postgres decides, because the index may be behind. */
  async #known({ tags, collection }: SearchQuery, spaces: readonly string[], { dense, lexical }: Candidates) {
    const generations = new Map([...dense, ...lexical].map(({ chunk_id, generation }) => [chunk_id, generation]))
    const rows = await this.#deps.uow
      .in(spaces)
      .read(({ documents }) => documents.hits(spaces, [...generations.keys()], { tags, collection }))
    return new Map(rows.filter((row) => generations.get(row.chunk_id) === row.generation).map((row) => [row.chunk_id, row]))
  }
}

const isIn =
  (known: ReadonlyMap<string, unknown>) =>
  ({ chunk_id }: { chunk_id: string }): boolean =>
    known.has(chunk_id)

function toHit({ score, dense_score, lexical_score }: Ranked, row: ChunkHit | undefined, terms: readonly string[]): SearchHit[] {
  if (!row) return []
  const { chunk_id, document_id, title, uri, page, title_path, text } = row
  const hit = { document_id, chunk_id, title, uri, score: round(score), snippet: snippetOf(text, terms), text }
  return [
    {
      ...hit,
      ...(page === null ? {} : { page }),
      ...(title_path.length === 0 ? {} : { title_path }),
      ...(dense_score === undefined ? {} : { dense_score: round(dense_score) }),
      ...(lexical_score === undefined ? {} : { lexical_score: round(lexical_score) }),
    },
  ]
}

const round = (score: number): number => Math.round(score * 1e6) / 1e6

/** As many of the hits, best first, as fit into one reply. */
function withinReply(hits: readonly SearchHit[]): SearchHit[] {
  let bytes = 0
  return hits.filter((hit) => {
    bytes += Buffer.byteLength(JSON.stringify(hit))
    return bytes <= MAX_REPLY
  })
}
