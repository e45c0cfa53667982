import type { Schemas } from '@qdrant/js-client-rest'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { QueryTerm } from '../../analysis/query.ts'
import type { Frequencies } from '../../services/search/search-index.ts'
import type { QdrantApi } from './qdrant-api.ts'
import { ofSpace, withTerm } from './questions.ts'
import type { PartState } from './space-states.ts'

const Counted = z.object({ count: z.int() })
/** Counts of terms in spaces that are remembered, some 10 MB. */
const REMEMBERED = 50_000

/** How many chunks of a space have a term. Remembered until the space changes. */
export class TermStatistics {
  readonly #api: QdrantApi
  readonly #collection: string
  readonly #known = new LRUCache<string, number>({ max: REMEMBERED })

  constructor(api: QdrantApi, collection: string) {
    this.#api = api
    this.#collection = collection
  }

  async frequencies(spaceId: string, state: PartState, terms: readonly string[]): Promise<Frequencies> {
    const [chunks, ...counts] = await Promise.all([
      this.#count(spaceId, state, undefined),
      ...terms.map((term) => this.#count(spaceId, state, [term])),
    ])
    return { chunks, counts }
  }

  /** Inverse document frequencies of terms, the forms of each as one (Robertson and Zaragoza 2009, but never negative). */
  async rarities(spaceId: string, state: PartState, terms: readonly QueryTerm[]): Promise<number[]> {
    const [chunks, ...counts] = await Promise.all([
      this.#count(spaceId, state, undefined),
      ...terms.map(({ forms, use }) => (use === 'not' ? 0 : this.#count(spaceId, state, forms))),
    ])
    return counts.map((having) => Math.log(1 + (chunks - having + 0.5) / (having + 0.5)))
  }

  async #count(spaceId: string, { part, seq }: PartState, forms: readonly string[] | undefined): Promise<number> {
    const key = [spaceId, part, seq, ...(forms ?? [''])].join(' ')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const must: Schemas['Condition'][] = [ofSpace(spaceId), ...(forms ? [withTerm(forms)] : [])]
    const { count } = await this.#api.read('count', Counted, ({ countPoints }, { init, timeout }) =>
      countPoints({ collection_name: this.#collection, filter: { must }, exact: true, timeout }, init),
    )
    this.#known.set(key, count)
    return count
  }
}
