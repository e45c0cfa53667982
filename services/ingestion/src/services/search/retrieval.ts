import type { SearchQuery } from '@youworker/contracts/documents/search'
import { topicalTerms } from '../../analysis/analyse.ts'
import { hasPhrase, hasTerm } from '../../analysis/matches.ts'
import { type ParsedQuery, queryTerms, type QueryTerm } from '../../analysis/query.ts'
import type { SharedCollection } from '../../repositories/sharing/grant-repository.ts'
import type { ChunkHit, ChunkRef, SearchFilter } from '../../repositories/search-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { askedTerms } from './asked-terms.ts'
import { languageOfRow } from './hit-view.ts'
import type { IndexedSpace } from './index-service.ts'
import type { Trust } from './ranking/embedding-trust.ts'
import { ReadChunks, type SearchScope } from './chunks/read-chunks.ts'
import { FEEDBACK_TEXTS, feedbackWords, withFeedback } from './ranking/feedback.ts'
import { rank, type Ranked } from './ranking/rank-fusion.ts'
import type { Candidates, IndexQuery, SearchIndex } from './search-index.ts'

export interface Question extends Pick<IndexQuery, 'vector'> {
  readonly asked: ParsedQuery
  readonly trust: Trust
  /** The model that was to understand it did not answer. */
  readonly isPoor?: true
}

/** A space that is searched; `parts`: only these collections of it. */
export interface SearchedSpace extends IndexedSpace {
  readonly parts?: readonly SharedCollection[]
}

/** What is asked of the part of the index that holds a space. */
export interface SpaceQuery extends Pick<IndexQuery, 'vector'>, Pick<SearchedSpace, 'parts'> {
  readonly space_id: string
  readonly terms: readonly QueryTerm[]
}

export interface Found {
  readonly candidates: Candidates
  readonly known: ReadonlyMap<string, ChunkRef>
  readonly read: ReadChunks
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
  async find(query: SearchQuery, spaces: readonly SearchedSpace[], question: Question, depth: number): Promise<Found> {
    const asked = await Promise.all(spaces.map((space) => this.#inSpace(query, space, question)))
    const limit = Math.min(MAX_CANDIDATES, Math.max(MIN_CANDIDATES, 2 * depth))
    const started = performance.now()
    const read = this.#reading(query, spaces, question.asked)
    const first = await this.#look(query, asked, question, { depth, limit, read })
    const isQuick = performance.now() - started < QUICK
    if (!isQuick || !isEnough(first.candidates, question.asked)) return first
    const wider = await Promise.all(asked.map((space) => this.#widened(space, first)))
    // The nearest vectors stay the same.
    const byWords = wider.map((space) => ({ ...space, vector: undefined }))
    const found = await this.#look(query, byWords, question, { depth, limit, read, dense: first.candidates.dense })
    return { ...found, spaces: wider }
  }

  async #inSpace({ mode }: SearchQuery, space: SearchedSpace, { asked, vector }: Question): Promise<SpaceQuery> {
    const terms = await askedTerms(this.#index, space, asked)
    // Without their vectors the passages that lack a word to leave out are found all the same: Postgres has their texts.
    const { space_id, parts } = space
    const of = parts === undefined ? { space_id } : { space_id, parts }
    return { ...of, terms: mode === 'dense' ? terms.filter(({ use }) => use === 'not') : terms, vector }
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
      const isLast = dense !== undefined || !isEnough(candidates, asked)
      await read.read(idsOf(candidates), isLast ? likelyPage(query, candidates, trust) : bestByWords(candidates))
      const known = knownOf(candidates, read)
      const isKnown = ({ chunk_id }: { chunk_id: string }) => known.has(chunk_id)
      const current = { dense: candidates.dense.filter(isKnown), lexical: candidates.lexical.filter(isKnown) }
      const ranked = rank(query.mode, current, trust)
      const isFull = Math.max(candidates.dense.length, candidates.lexical.length) >= limit
      const lost = candidates.dense.length + candidates.lexical.length - current.dense.length - current.lexical.length
      if (ranked.length >= depth || !isFull || lost === 0 || limit >= MAX_CANDIDATES) {
        return { candidates, known, read, ranked, spaces }
      }
    }
  }

  async #candidates(query: SearchQuery, spaces: readonly SpaceQuery[], limit: number): Promise<Candidates> {
    const filter = filterOf(query)
    const perSpace = spaces.map(async ({ space_id, parts, ...asked }) => {
      if (!parts && !isNarrow(filter)) return this.#index.search(space_id, { ...asked, limit })
      const document_ids = await this.#uow
        .in(parts ? [] : [space_id], parts)
        .read(({ searches }) => searches.documentsWith(space_id, { ...filter, parts }, MAX_FILTERED_DOCUMENTS))
      if (document_ids.length === 0) return { dense: [], lexical: [] }
      return this.#index.search(space_id, { ...asked, limit, document_ids })
    })
    const found = await Promise.all(perSpace)
    return { dense: found.flatMap(({ dense }) => dense), lexical: found.flatMap(({ lexical }) => lexical) }
  }

  #reading(query: SearchQuery, spaces: readonly SearchedSpace[], asked: ParsedQuery): ReadChunks {
    const isPicky = asked.phrases.length > 0 || asked.without.length > 0
    return new ReadChunks({
      uow: this.#uow,
      scope: scopeOf(spaces),
      filter: filterOf(query),
      isWanted: isPicky ? (row) => isWanted(row, asked) : undefined,
      isWhole: query.diversity > 0,
    })
  }

  /** The terms of a space's question with the words of the best passages. */
  async #widened(space: SpaceQuery, { candidates, known, read }: Found): Promise<SpaceQuery> {
    const current = candidates.lexical.filter(({ chunk_id }) => known.has(chunk_id))
    const best = bestByWords({ lexical: current })
    await read.read([], best)
    const texts = best.flatMap((id) => {
      const row = read.hit(id)
      return row ? [topicalTerms(row.text, languageOfRow(row))] : []
    })
    const words = feedbackWords(texts)
    const frequencies = await this.#index.frequencies(space.space_id, words)
    return { ...space, terms: withFeedback(space.terms, texts, words, frequencies) }
  }
}

const isEnough = ({ lexical }: Candidates, { phrases }: ParsedQuery): boolean =>
  lexical.length >= ENOUGH_TO_WIDEN && phrases.length === 0

const idsOf = ({ dense, lexical }: Candidates): string[] => [...new Set([...dense, ...lexical].map(({ chunk_id }) => chunk_id))]

/** What will be shown when all candidates count, so that it is read at once. */
const likelyPage = ({ mode, offset, top_k }: SearchQuery, candidates: Candidates, trust: Trust): string[] =>
  rank(mode, candidates, trust)
    .slice(offset, offset + top_k)
    .map(({ chunk_id }) => chunk_id)

const bestByWords = ({ lexical }: Pick<Candidates, 'lexical'>): string[] =>
  lexical
    .toSorted((a, b) => b.score - a.score)
    .slice(0, FEEDBACK_TEXTS)
    .map(({ chunk_id }) => chunk_id)

/** Only candidates of a current version in the caller's spaces. */
function knownOf({ dense, lexical }: Candidates, read: ReadChunks): Map<string, ChunkRef> {
  const known = new Map<string, ChunkRef>()
  for (const { chunk_id, generation } of [...dense, ...lexical]) {
    const ref = read.ref(chunk_id)
    if (ref?.generation === generation) known.set(chunk_id, ref)
  }
  return known
}

/** Of others only what was shared is seen. */
export const scopeOf = (spaces: readonly Pick<SearchedSpace, 'space_id' | 'parts'>[]): SearchScope => ({
  ids: spaces.flatMap(({ space_id, parts }) => (parts ? [] : [space_id])),
  all: spaces.map(({ space_id }) => space_id),
  shared: spaces.flatMap(({ parts = [] }) => parts),
})

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
