import type { SearchQuery } from '@youworker/contracts/documents/search'
import { topicalTerms } from '../../analysis/analyse.ts'
import { hasPhrase, hasTerm } from '../../analysis/matches.ts'
import { type ParsedQuery, queryTerms, type QueryTerm } from '../../analysis/query.ts'
import type { ChunkHit, SearchFilter } from '../../repositories/search-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { askedTerms } from './asked-terms.ts'
import { languageOfRow } from './hit-view.ts'
import type { IndexedSpace } from './index-service.ts'
import type { Trust } from './ranking/embedding-trust.ts'
import { FEEDBACK_TEXTS, feedbackWords, withFeedback } from './ranking/feedback.ts'
import { rank, type Ranked } from './ranking/rank-fusion.ts'
import type { Candidates, IndexQuery, SearchIndex } from './search-index.ts'

export interface Question extends Pick<IndexQuery, 'vector'> {
  readonly asked: ParsedQuery
  readonly trust: Trust
  /** The model that was to understand it did not answer. */
  readonly isPoor?: true
}

/** What is asked of the part of the index that holds a space. */
export interface SpaceQuery extends Pick<IndexQuery, 'vector'> {
  readonly space_id: string
  readonly terms: readonly QueryTerm[]
}

export interface Found {
  readonly candidates: Candidates
  readonly known: ReadonlyMap<string, ChunkHit>
  readonly ranked: readonly Ranked[]
  readonly spaces: readonly SpaceQuery[]
}

const MIN_CANDIDATES = 50
const MAX_CANDIDATES = 4_096
const MAX_FILTERED_DOCUMENTS = 20_000
/** With fewer passages than this by its own words, a question is not widened: what has none of them would stand among what has. */
const ENOUGH_TO_WIDEN = 10
/** A first look that took longer is not followed by a second. In ms. */
const QUICK = 60

/** What one question has read from Postgres so far: `undefined` for a chunk that does not count. */
type ReadChunks = Map<string, ChunkHit | undefined>

interface LookOptions {
  readonly depth: number
  readonly limit: number
  readonly read: ReadChunks
  /** What an earlier look found by the vector. */
  readonly dense?: Candidates['dense']
}

/** From a question to ranked passages that the caller may read. */
export class Retrieval {
  readonly #uow: IngestionUnitOfWork
  readonly #index: SearchIndex

  constructor({ uow, index }: { uow: IngestionUnitOfWork; index: SearchIndex }) {
    this.#uow = uow
    this.#index = index
  }

  /** At least `depth` hits, where there are so many. */
  async find(query: SearchQuery, spaces: readonly IndexedSpace[], question: Question, depth: number): Promise<Found> {
    const asked = await Promise.all(spaces.map((space) => this.#inSpace(query, space, question)))
    const limit = Math.min(MAX_CANDIDATES, Math.max(MIN_CANDIDATES, 2 * depth))
    const started = performance.now()
    const read: ReadChunks = new Map()
    const first = await this.#look(query, asked, question, { depth, limit, read })
    const isQuick = performance.now() - started < QUICK
    const isEnough = first.candidates.lexical.length >= ENOUGH_TO_WIDEN && question.asked.phrases.length === 0
    if (!isQuick || !isEnough) return first
    const wider = await Promise.all(asked.map((space) => this.#widened(space, first)))
    // The nearest vectors stay the same.
    const byWords = wider.map(({ space_id, terms }) => ({ space_id, terms, vector: undefined }))
    const found = await this.#look(query, byWords, question, { depth, limit, read, dense: first.candidates.dense })
    return { ...found, spaces: wider }
  }

  async #inSpace({ mode }: SearchQuery, space: IndexedSpace, { asked, vector }: Question): Promise<SpaceQuery> {
    const terms = await askedTerms(this.#index, space, asked)
    // Without their vectors the passages that lack a word to leave out are found all the same: Postgres has their texts.
    return { space_id: space.space_id, terms: mode === 'dense' ? terms.filter(({ use }) => use === 'not') : terms, vector }
  }

  /** Looks again for longer lists while too many candidates belong to replaced versions or lack a phrase. */
  async #look(
    query: SearchQuery,
    spaces: readonly SpaceQuery[],
    { asked, trust }: Question,
    { depth, limit: first, read, dense }: LookOptions,
  ): Promise<Found> {
    for (let limit = first; ; limit *= 8) {
      const found = await this.#candidates(query, spaces, limit)
      const candidates = dense === undefined ? found : { ...found, dense }
      const known = await this.#known(query, spaces, candidates, asked, read)
      const isKnown = ({ chunk_id }: { chunk_id: string }) => known.has(chunk_id)
      const current = { dense: candidates.dense.filter(isKnown), lexical: candidates.lexical.filter(isKnown) }
      const ranked = rank(query.mode, current, trust)
      const isFull = Math.max(candidates.dense.length, candidates.lexical.length) >= limit
      const lost = candidates.dense.length + candidates.lexical.length - current.dense.length - current.lexical.length
      if (ranked.length >= depth || !isFull || lost === 0 || limit >= MAX_CANDIDATES) return { candidates, known, ranked, spaces }
    }
  }

  async #candidates(query: SearchQuery, spaces: readonly SpaceQuery[], limit: number): Promise<Candidates> {
    const filter = filterOf(query)
    const perSpace = spaces.map(async ({ space_id, ...asked }) => {
      if (!isNarrow(filter)) return this.#index.search(space_id, { ...asked, limit })
      const document_ids = await this.#uow
        .in([space_id])
        .read(({ searches }) => searches.documentsWith(space_id, filter, MAX_FILTERED_DOCUMENTS))
      if (document_ids.length === 0) return { dense: [], lexical: [] }
      return this.#index.search(space_id, { ...asked, limit, document_ids })
    })
    const found = await Promise.all(perSpace)
    return { dense: found.flatMap(({ dense }) => dense), lexical: found.flatMap(({ lexical }) => lexical) }
  }

  /** Only candidates of a current version in the caller's spaces: Postgres decides, because the index may be behind. */
  async #known(
    query: SearchQuery,
    spaces: readonly SpaceQuery[],
    { dense, lexical }: Candidates,
    asked: ParsedQuery,
    read: ReadChunks,
  ): Promise<Map<string, ChunkHit>> {
    const generations = new Map([...dense, ...lexical].map(({ chunk_id, generation }) => [chunk_id, generation]))
    const unread = [...generations.keys()].filter((id) => !read.has(id))
    if (unread.length > 0) {
      const ids = spaces.map(({ space_id }) => space_id)
      const rows = await this.#uow.in(ids).read(({ searches }) => searches.hits(ids, unread, filterOf(query)))
      const wanted = new Map(rows.filter((row) => isWanted(row, asked)).map((row) => [row.chunk_id, row]))
      for (const id of unread) read.set(id, wanted.get(id))
    }
    const current = [...generations].flatMap(([id, generation]) => {
      const row = read.get(id)
      return row?.generation === generation ? [row] : []
    })
    return new Map(current.map((row) => [row.chunk_id, row]))
  }

  /** The terms of a space's question with the words of the best passages. */
  async #widened(space: SpaceQuery, { candidates, known }: Found): Promise<SpaceQuery> {
    const best = candidates.lexical
      .filter(({ chunk_id }) => known.has(chunk_id))
      .toSorted((a, b) => b.score - a.score)
      .slice(0, FEEDBACK_TEXTS)
    const texts = best.flatMap(({ chunk_id }) => {
      const row = known.get(chunk_id)
      return row ? [topicalTerms(row.text, languageOfRow(row))] : []
    })
    const words = feedbackWords(texts)
    const frequencies = await this.#index.frequencies(space.space_id, words)
    return { ...space, terms: withFeedback(space.terms, texts, words, frequencies) }
  }
}

export const filterOf = ({
  tags,
  collection,
  mime,
  document_ids,
  ingested_after,
  ingested_before,
}: SearchQuery): SearchFilter => ({
  tags,
  collection,
  mime,
  document_ids,
  ingested_after,
  ingested_before,
})

const isNarrow = ({ tags, ...others }: SearchFilter): boolean =>
  (tags !== undefined && tags.length > 0) || Object.values(others).some((value) => value !== undefined)

const isWanted = (row: ChunkHit, asked: ParsedQuery): boolean => hasPhrases(row, asked) && !hasExcludedWord(row, asked)

/** The index does not know the order of words. */
export const hasPhrases = (row: ChunkHit, { phrases }: ParsedQuery): boolean =>
  phrases.every((phrase) => hasPhrase(wholeText(row), phrase))

/** A vector does not show which words there are. */
export function hasExcludedWord(row: ChunkHit, { without }: ParsedQuery): boolean {
  if (without.length === 0) return false
  const language = languageOfRow(row)
  const left = queryTerms({ words: '', phrases: [], without }, [language]).map((term): QueryTerm => ({ ...term, use: 'should' }))
  return hasTerm(wholeText(row), language, left)
}

const wholeText = ({ title, title_path, text }: ChunkHit): string => [title, ...title_path, text].join('\n')
