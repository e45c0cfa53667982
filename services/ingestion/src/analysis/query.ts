import { hasCompounds } from './compounds/split-compound.ts'
import { formsOf, insideCompound, partsOf } from './forms.ts'
import { lowerCase } from './fold.ts'
import { stopWordsOf } from './stop-words.ts'
import { tokensOf } from './tokens.ts'
import { UNKNOWN } from './unknown-language.ts'
import { type Word, wordsOf } from './words.ts'

/** `must`: a passage without it is no hit. `not`: one with it is none. */
export type TermUse = 'should' | 'must' | 'not'

export interface QueryTerm {
  /** The same word in the languages of the space; a passage has it when it has any of them. */
  readonly forms: readonly string[]
  readonly weight: number
  readonly use: TermUse
}

/** A question as it was typed: words, "phrases in quotes" and -words to leave out. */
export interface ParsedQuery {
  readonly words: string
  readonly phrases: readonly string[]
  readonly without: readonly string[]
}

/** `Urlaubsantrag` finds `Antrag auf Urlaub`, below what has the word itself. */
const WEIGHT_OF_PART = 0.5

const PHRASE = /["“”„«»][^"“”„«»]*["“”„«»]/gu
const QUOTE = /["“”„«»]/gu
/** Not `-5`, `- item`, `--option` or the hyphen in `e-mail`. */
const EXCLUDED = /(?<![^\s])-(?=\p{L}\p{L})[^\s]+/gu

export function parseQuery(query: string): ParsedQuery {
  const phrases: string[] = []
  const open = query.replace(PHRASE, (quoted) => {
    const phrase = quoted.slice(1, -1).trim()
    if (phrase !== '') phrases.push(phrase)
    return ' '
  })
  const without: string[] = []
  const words = open.replace(EXCLUDED, (word) => {
    without.push(word.slice(1))
    return ' '
  })
  const asked = words.replace(QUOTE, ' ').trim()
  // Only words to leave out ask for nothing, so they are read as plain words.
  if (asked === '' && phrases.length === 0) return { words: query, phrases: [], without: [] }
  return { words: asked, phrases, without }
}

/** What an embedding model is asked: the words and phrases without signs. */
export const plainQuery = ({ words, phrases }: ParsedQuery): string => [words, ...phrases].join(' ').trim()

/** The terms of a query in a space with chunks of these languages. Words like `the` count only when there is nothing else. */
export function queryTerms({ words, phrases, without }: ParsedQuery, languages: readonly string[]): QueryTerm[] {
  const known = languages.length > 0 ? languages : [UNKNOWN]
  const all = wordsIn(words)
  const stop = stopWords(all, known)
  const topical = all.filter(({ text }) => !stop.has(text.toLowerCase()))
  const asked = topical.length > 0 || phrases.length > 0 ? topical : all
  const term = (word: Word, use: TermUse): QueryTerm => ({ forms: formsIn(word, known), weight: 1, use })
  const wanted = (word: Word, weight = 1): QueryTerm => ({ forms: formsAnywhere(word, known), weight, use: 'should' })
  return unique([
    ...phrases.flatMap((phrase) => wordsIn(phrase).map((word) => term(word, 'must'))),
    ...asked.map((word) => wanted(word)),
    ...asked.flatMap((word) => partsIn(word, known).map((part) => wanted(part, WEIGHT_OF_PART))),
    ...without.flatMap((phrase) =>
      wordsIn(phrase)
        .slice(0, 1)
        .map((word) => term(word, 'not')),
    ),
  ])
}

const wordsIn = (text: string): Word[] => [...tokensOf(text)].flatMap((token) => wordsOf(token).words)

const formsIn = (word: Word, languages: readonly string[]): string[] => [
  ...new Set(languages.flatMap((language) => [...formsOf(word, language)])),
]

/** Also those of the word inside compounds, where a language of the space has such. */
function formsAnywhere(word: Word, languages: readonly string[]): string[] {
  const forms = formsIn(word, languages)
  const compounding = languages.filter(hasCompounds)
  if (word.kind === 'fixed' || compounding.length === 0) return forms
  return [...forms, ...formsIn(word, compounding).map(insideCompound)]
}

const partsIn = (word: Word, languages: readonly string[]): Word[] => {
  const parts = languages.flatMap((language) => [...partsOf(word, language)])
  return [...new Map(parts.map((part) => [part.text, part])).values()]
}

/** Of the language in which most words of the question are stop words: `die` is one in German, not in English. */
function stopWords(words: readonly Word[], languages: readonly string[]): ReadonlySet<string> {
  const counted = [...languages, 'en'].map((language) => {
    const stop = stopWordsOf(language)
    return { stop, count: words.filter(({ text }) => stop.has(lowerCase(text, language))).length }
  })
  return counted.reduce((best, next) => (next.count > best.count ? next : best)).stop
}

function unique(terms: readonly QueryTerm[]): QueryTerm[] {
  const seen = new Map<string, QueryTerm>()
  for (const term of terms) {
    const key = term.forms.join(' ')
    if (term.forms.length > 0 && !seen.has(key)) seen.set(key, term)
  }
  return [...seen.values()]
}
