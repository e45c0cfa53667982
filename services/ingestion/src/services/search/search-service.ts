import { AppError } from '@youworker/contracts/errors'
import { hasPhrase, hasTerm, matchesIn } from '../../analysis/matches.ts'
import { languageOf } from '../../analysis/language.ts'
import { type ParsedQuery, parseQuery, plainQuery, queryTerms, type QueryTerm } from '../../analysis/query.ts'
import { namedSpaces, type SearchAnswer, type SearchHit, type SearchQuery } from '@youworker/contracts/documents/search'
import { LIMITS } from '@youworker/contracts/limits'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import type { ChunkHit } from '../../repositories/document-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { Embedder } from './embedding-service.ts'
import type { IndexedSpace, IndexService } from './index-service.ts'
import { rank, type Ranked } from './rank-fusion.ts'
import type { Candidates, IndexQuery, SearchIndex } from './search-index.ts'
import { askedTerms } from './asked-terms.ts'
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

interface Question extends Pick<IndexQuery, 'vector'> {
  readonly asked: ParsedQuery
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
    const asked = parseQuery(query)
    if (mode === 'lexical') return { asked }
    try {
      const [vector] = await this.#deps.embedder.embed([plainQuery(asked)], { signal, timeoutMs: atMost(EMBED_TIMEOUT_MS) })
      return { asked, vector: vector && new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) }
    } catch (error) {
      if (mode === 'dense' || signal.aborted || !(error instanceof AppError)) throw error
      this.#deps.logger.warn({ code: error.code }, 'a hybrid search went on without the embedding model')
      return { asked, isPoor: true }
    }
  }

  async #find(query: SearchQuery, spaces: readonly IndexedSpace[], question: Question): Promise<SearchHit[]> {
    const inSpaces = await Promise.all(spaces.map((space) => this.#inSpace(query, space, question)))
    const all = queryTerms(question.asked, [...new Set(spaces.flatMap(({ languages }) => languages))])
    for (let limit = Math.max(MIN_CANDIDATES, 4 * query.top_k); ; limit *= 8) {
      const candidates = await this.#candidates(query, inSpaces, limit)
      const known = await this.#known(query, spaces, candidates, question.asked)
      const current = { dense: candidates.dense.filter(isIn(known)), lexical: candidates.lexical.filter(isIn(known)) }
      const ranked = rank(query.mode, current).slice(0, query.top_k)
      const isFull = Math.max(candidates.dense.length, candidates.lexical.length) >= limit
      // Too many candidates belonged to replaced versions or lacked a phrase, so a longer list is searched.
      const looksOnce = ranked.length < query.top_k && isFull && limit <= 4 * LIMITS.listRows
      if (!looksOnce) return withinReply(ranked.flatMap((entry) => toHit(entry, known.get(entry.chunk_id), all)))
    }
  }

  async #inSpace({ mode }: SearchQuery, space: IndexedSpace, { asked, vector }: Question): Promise<SpaceQuery> {
    const terms = mode === 'dense' ? undefined : await askedTerms(this.#deps.index, space, asked)
    return { space_id: space.space_id, terms, vector }
  }

  async #candidates({ tags, collection }: SearchQuery, spaces: readonly SpaceQuery[], limit: number): Promise<Candidates> {
    const isFiltered = (tags !== undefined && tags.length > 0) || collection !== undefined
    const perSpace = spaces.map(async ({ space_id, ...query }) => {
      if (!isFiltered) return this.#deps.index.search(space_id, { ...query, limit })
      const filter = { tags, collection }
      const document_ids = await this.#deps.uow
        .in([space_id])
        .read(({ documents }) => documents.idsWith(space_id, filter, MAX_FILTERED_DOCUMENTS))
      if (document_ids.length === 0) return { dense: [], lexical: [] }
      return this.#deps.index.search(space_id, { ...query, limit, document_ids })
    })
    const found = await Promise.all(perSpace)
    return { dense: found.flatMap(({ dense }) => dense), lexical: found.flatMap(({ lexical }) => lexical) }
  }

  /** Only candidates of a current version in the caller's spaces: Postgres decides, because the index may be behind. */
  async #known(query: SearchQuery, spaces: readonly IndexedSpace[], { dense, lexical }: Candidates, asked: ParsedQuery) {
    const generations = new Map([...dense, ...lexical].map(({ chunk_id, generation }) => [chunk_id, generation]))
    const ids = spaces.map(({ space_id }) => space_id)
    const rows = await this.#deps.uow
      .in(ids)
      .read(({ documents }) => documents.hits(ids, [...generations.keys()], { tags: query.tags, collection: query.collection }))
    const current = rows.filter((row) => generations.get(row.chunk_id) === row.generation && isWanted(row, asked))
    return new Map(current.map((row) => [row.chunk_id, row]))
  }
}

type SpaceQuery = Pick<IndexQuery, 'vector' | 'terms'> & { readonly space_id: string }

/** Has every phrase and no word to leave out; the index knows neither the order of words nor, by a vector, which there are. */
function isWanted(row: ChunkHit, { phrases, without }: ParsedQuery): boolean {
  if (phrases.length === 0 && without.length === 0) return true
  const text = [row.title, ...row.title_path, row.text].join('\n')
  const language = languageOfRow(row)
  const left = queryTerms({ words: '', phrases: [], without }, [language])
  return phrases.every((phrase) => hasPhrase(text, phrase)) && !hasTerm(text, language, left)
}

const languageOfRow = ({ language, text }: ChunkHit): string => language ?? languageOf(text)

const isIn =
  (known: ReadonlyMap<string, unknown>) =>
  ({ chunk_id }: { chunk_id: string }): boolean =>
    known.has(chunk_id)

function toHit(
  { score, dense_score, lexical_score }: Ranked,
  row: ChunkHit | undefined,
  terms: readonly QueryTerm[],
): SearchHit[] {
  if (!row) return []
  const { chunk_id, document_id, title, uri, page, title_path, text } = row
  const hit = {
    document_id,
    chunk_id,
    title,
    uri,
    score: round(score),
    snippet: snippetOf(text, matchesIn(text, languageOfRow(row), terms)),
    text,
  }
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
