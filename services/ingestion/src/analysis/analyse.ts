import { formsOf } from './forms.ts'
import { tokensOf } from './tokens.ts'
import { wordsOf } from './words.ts'

/** A change of the terms of a text needs another number: an index with terms of before is made anew. */
export const ANALYSIS = 1

/**
 * The terms that a text in a language is found by, in its order: stems without accents, pairs of characters where words have no spaces
 * between them, identifiers and their parts. A term has only letters and digits, so terms may be joined by spaces.
 */
export function analyse(text: string, language: string): string[] {
  const terms: string[] = []
  for (const token of tokensOf(text)) {
    const { words, details } = wordsOf(token)
    for (const word of words) terms.push(...formsOf(word, language))
    for (const word of details) terms.push(...formsOf(word, language))
  }
  return terms
}
