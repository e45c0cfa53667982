import type { Explanation, Verdict } from '@youworker/contracts/documents/explain'
import type { SearchQuery } from '@youworker/contracts/documents/search'
import type { ParsedQuery } from '../../../analysis/query.ts'
import type { Trust } from '../ranking/embedding-trust.ts'

export interface ExplainedParts extends Pick<
  Explanation,
  'space' | 'failed_filters' | 'rerank' | 'cut_off' | 'terms' | 'chunks'
> {
  readonly trust: Trust
  readonly asked: ParsedQuery
  readonly mode: SearchQuery['mode']
  /** It belongs to the examples, which make way for other documents. */
  readonly isExample: boolean
  /** The index holds its current version. */
  readonly isIndexed: boolean
}

const SENTENCES: Readonly<Record<Verdict, string>> = {
  returned: 'The document was returned.',
  folded_into_another: 'A passage with the same text was returned in its stead, and names this document in also_in.',
  deleted: 'The document is deleted; it can be restored until it is erased.',
  space_not_readable: 'No space that the user may read has this document; admins of a group can add the user.',
  space_not_asked: 'The search was for another space; leave group_id and space_id out to search everywhere.',
  filtered_out: 'The document does not pass the filters that are named; leave them out or change them.',
  example_left_out: 'It belongs to the examples, which are left out among other documents; name their collection to search them.',
  not_indexed_yet: 'The index does not hold the document yet; ask again in a few seconds.',
  phrase_missing: 'No passage has the words in quotes next to each other; leave the quotes out.',
  excluded_word: 'Every passage has a word that was to be left out; leave out the minus before it.',
  no_word_in_common: 'No passage has a word of the question in any of its forms; use words that stand in the document.',
  below_floor:
    'The passages are less similar to the question than what is taken for related; use words that stand in the document.',
  below_cut_off: 'Other passages fit better; ask for more (top_k, offset) or for words that only this document has.',
}

export const sentenceOf = (verdict: Verdict): string => SENTENCES[verdict]

/** The first rule that kept the document back. */
export function verdictOf(parts: ExplainedParts): Pick<Explanation, 'verdict' | 'because'> {
  const verdict = firstOf(parts)
  return { verdict, because: SENTENCES[verdict] }
}

function firstOf({ space, failed_filters, isExample, isIndexed, chunks, cut_off, asked, trust, mode }: ExplainedParts): Verdict {
  if (!space.is_readable) return 'space_not_readable'
  if (!space.is_asked) return 'space_not_asked'
  if (failed_filters.length > 0) return 'filtered_out'
  const answered = chunks.filter(({ fused: { rank = 0 } = {} }) => rank > cut_off.from && rank <= cut_off.to)
  if (answered.some(({ folded_into }) => folded_into === undefined)) return 'returned'
  if (answered.length > 0) return 'folded_into_another'
  if (isExample) return 'example_left_out'
  if (!isIndexed) return 'not_indexed_yet'
  if (asked.phrases.length > 0 && !chunks.some(({ has_phrases }) => has_phrases)) return 'phrase_missing'
  if (chunks.length > 0 && chunks.every(({ has_excluded_word }) => has_excluded_word)) return 'excluded_word'
  if (chunks.some(({ fused }) => fused !== undefined)) return 'below_cut_off'
  if (chunks.some(({ lexical }) => lexical !== undefined)) return 'below_cut_off'
  if (mode === 'lexical') return 'no_word_in_common'
  return chunks.some(({ dense }) => (dense?.score ?? 0) >= trust.floor) && trust.weight > 0
    ? 'below_cut_off'
    : belowOrNone(chunks)
}

const belowOrNone = (chunks: ExplainedParts['chunks']): Verdict =>
  chunks.some(({ dense }) => dense !== undefined) ? 'below_floor' : 'no_word_in_common'
