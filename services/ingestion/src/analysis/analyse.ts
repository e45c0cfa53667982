import { formsOf, insideCompound, partsOf } from './forms.ts'
import { stopWordsOf } from './stop-words.ts'
import { type Token, tokensOf } from './tokens.ts'
import { WordMemory } from './word-memory.ts'
import { wordsOf } from './words.ts'

/** A change of the terms of a text needs another number: an index with terms of before is made anew. */
export const ANALYSIS = 3

/**
 * The terms that a text in a language is found by, in its order: stems without accents, pairs of characters where words have no spaces
 * between them, identifiers and their parts, the words inside compounds. A term has only letters and digits, so terms may be joined by spaces.
 */
export function analyse(text: string, language: string): string[] {
  const terms: string[] = []
  for (const token of tokensOf(text)) terms.push(...termsOfToken(token, language))
  return terms
}

const remembered = new WordMemory<readonly string[]>()
const rememberedTopics = new WordMemory<string>()

/** The letters of a token that is nothing but one word. */
const plainWord = ({ kind, parts, sign }: Token): string | undefined =>
  kind === 'word' && sign === '' && parts.length === 1 ? parts[0] : undefined

export function termsOfToken(token: Token, language: string): readonly string[] {
  const word = plainWord(token)
  if (word === undefined) return newTerms(token, language)
  return remembered.get(language, word) ?? remembered.set(language, word, newTerms(token, language))
}

function newTerms(token: Token, language: string): readonly string[] {
  const { words, details } = wordsOf(token)
  const terms = [...words, ...details].flatMap((word) => [...formsOf(word, language)])
  const inside = words.flatMap((word) => [...partsOf(word, language)]).flatMap((part) => [...formsOf(part, language)])
  return inside.length === 0 ? terms : [...terms, ...inside.map(insideCompound)]
}

/** The words of a text that can show its topic: not `the`, numbers, parts of identifiers or pairs of characters. */
export function topicalTerms(text: string, language: string): string[] {
  const terms: string[] = []
  for (const token of tokensOf(text)) {
    const word = plainWord(token)
    const known = word === undefined ? undefined : rememberedTopics.get(language, word)
    const term = known ?? newTopic(token, language)
    if (word !== undefined && known === undefined) rememberedTopics.set(language, word, term)
    if (term !== '') terms.push(term)
  }
  return terms
}

/** Empty for a token that shows no topic. */
function newTopic(token: Token, language: string): string {
  const [word, ...others] = wordsOf(token).words
  if (token.kind !== 'word' || !word || others.length > 0 || stopWordsOf(language).has(word.text.toLowerCase())) return ''
  const [term = ''] = formsOf(word, language)
  return term.length > 2 ? term : ''
}
