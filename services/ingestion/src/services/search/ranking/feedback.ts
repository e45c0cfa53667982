import type { QueryTerm } from '../../../analysis/query.ts'
import type { Frequencies } from '../search-index.ts'

/** A passage that was found, by the terms that tell what it is about. */
export type FeedbackText = readonly string[]

/** The best so many passages are taken for answers. */
export const FEEDBACK_TEXTS = 3
const MAX_ADDED = 15
/** What the most telling word of the passages counts, beside a word of the question. */
const WEIGHT = 0.3
/** Their frequencies are asked for; a word that comes less often in the passages tells less. */
const MAX_CONSIDERED = 60

/** The words of the passages that are worth a look, the most frequent first. */
export function feedbackWords(texts: readonly FeedbackText[]): string[] {
  return [...countsOf(texts)]
    .toSorted(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, MAX_CONSIDERED)
    .map(([word]) => word)
}

/**
 * The terms of a question with those that set the passages apart from the collection: Bo1 (Amati, "Probability models for information
 * retrieval based on divergence from randomness", 2003), with the number of chunks that have a word for how often it occurs.
 */
export function withFeedback(
  terms: readonly QueryTerm[],
  texts: readonly FeedbackText[],
  words: readonly string[],
  { chunks, counts }: Frequencies,
): QueryTerm[] {
  const inTexts = countsOf(texts)
  const scored = words.flatMap((word, n) => {
    const everywhere = counts[n] ?? 0
    if (everywhere < 2) return []
    const expected = everywhere / Math.max(1, chunks)
    const score = (inTexts.get(word) ?? 0) * Math.log2((1 + expected) / expected) + Math.log2(1 + expected)
    return [{ word, score }]
  })
  const added = scored.toSorted((a, b) => b.score - a.score).slice(0, MAX_ADDED)
  const most = added[0]?.score ?? 1
  const weights = new Map(added.map(({ word, score }) => [word, (WEIGHT * score) / most]))
  const asked = terms.map((term) => {
    const form = term.forms.find((each) => weights.has(each))
    if (form === undefined || term.use === 'not') return term
    const weight = term.weight + (weights.get(form) ?? 0)
    weights.delete(form)
    return { ...term, weight }
  })
  return [...asked, ...[...weights].map(([word, weight]): QueryTerm => ({ forms: [word], weight, use: 'should' }))]
}

function countsOf(texts: readonly FeedbackText[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) for (const word of text) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
