import { type ParsedQuery, queryTerms, type QueryTerm } from '../../analysis/query.ts'
import type { IndexedSpace } from './index-service.ts'
import type { SearchIndex } from './search-index.ts'

/** A longer question costs the index more and says hardly more. */
const MAX_TERMS = 64

/** The terms of a question in one space; of a long question the rarest, which tell most. */
export async function askedTerms(
  index: Pick<SearchIndex, 'frequencies'>,
  { space_id, languages }: IndexedSpace,
  query: ParsedQuery,
): Promise<QueryTerm[]> {
  const terms = queryTerms(query, languages)
  if (terms.length <= MAX_TERMS) return terms
  const { counts } = await index.frequencies(
    space_id,
    terms.flatMap(({ forms }) => forms),
  )
  let at = 0
  const counted = terms.map((term) => {
    const own = counts.slice(at, (at += term.forms.length))
    return { term, count: own.reduce((sum, count) => sum + count, 0) }
  })
  const isRequired = counted.some(({ term, count }) => term.use === 'must' && count === 0)
  return counted
    .filter(({ term, count }) => count > 0 || (isRequired && term.use === 'must'))
    .toSorted((a, b) => a.count - b.count)
    .slice(0, MAX_TERMS)
    .map(({ term }) => term)
}
