import type { Schemas } from '@qdrant/js-client-rest'
import type { QueryTerm } from '../../analysis/query.ts'
import type { IndexQuery } from '../../services/search/search-index.ts'
import { denseVector, DENSE, termId, TEXT } from './points.ts'

/** Stands in every filter: nothing is read or removed outside of one space. */
export const ofSpace = (spaceId: string): Schemas['FieldCondition'] => ({ key: 'space_id', match: { value: spaceId } })

export const ofDocuments = (ids: readonly string[]): Schemas['FieldCondition'] => ({
  key: 'document_id',
  match: { any: [...ids] },
})

/** A chunk with any form of the term. */
export const withTerm = (forms: readonly string[]): Schemas['FieldCondition'] => ({
  key: 'terms',
  match: { any: [...new Set(forms.map(termId))] },
})

type Asked = Pick<Schemas['QueryRequest'], 'filter' | 'limit' | 'with_payload'>

const asked = (spaceId: string, { limit, document_ids }: IndexQuery): Asked & { filter: { must: Schemas['Condition'][] } } => ({
  filter: { must: [ofSpace(spaceId), ...(document_ids ? [ofDocuments(document_ids)] : [])] },
  limit,
  with_payload: ['generation'],
})

/** The nearest vectors; `undefined` without a vector of the collection's size. */
export function denseQuestion(spaceId: string, query: IndexQuery, size: number): Schemas['QueryRequest'] | undefined {
  const vector = query.vector && denseVector(query.vector, size)
  return (
    vector && {
      ...asked(spaceId, query),
      query: vector,
      using: DENSE,
      params: { quantization: { rescore: true, oversampling: 2 } },
    }
  )
}

interface Rarity {
  /** Of each term, where Qdrant does not weigh terms by their rarity itself. */
  readonly rarities: readonly number[] | undefined
}

/** The chunks with the terms; `undefined` when none is asked for. */
export function textQuestion(spaceId: string, query: IndexQuery, { rarities }: Rarity): Schemas['QueryRequest'] | undefined {
  const terms = query.terms ?? []
  const weights = weightsOf(terms, rarities)
  if (weights.size === 0) return undefined
  const { filter, ...rest } = asked(spaceId, query)
  const of = (use: QueryTerm['use']) => terms.filter((term) => term.use === use).map(({ forms }) => withTerm(forms))
  const without = of('not')
  return {
    ...rest,
    filter: { must: [...filter.must, ...of('must')], ...(without.length > 0 ? { must_not: without } : {}) },
    query: { indices: [...weights.keys()], values: [...weights.values()] },
    using: TEXT,
    // Rarity among the chunks of the space: among all, a score would tell of the words of others.
    ...(rarities ? {} : { params: { idf: { corpus: { must: [ofSpace(spaceId)] } } } }),
  }
}

/** Terms that share a number share its weight. */
function weightsOf(terms: readonly QueryTerm[], rarities: readonly number[] | undefined): Map<number, number> {
  const weights = new Map<number, number>()
  terms.forEach(({ forms, weight, use }, n) => {
    if (use === 'not') return
    for (const id of new Set(forms.map(termId))) weights.set(id, (weights.get(id) ?? 0) + weight * (rarities?.[n] ?? 1))
  })
  return weights
}
