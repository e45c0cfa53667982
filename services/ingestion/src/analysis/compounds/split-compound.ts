import { fold } from '../fold.ts'
import { DUTCH_PARTS } from './dutch-parts.ts'
import { GERMAN_PARTS } from './german-parts.ts'

interface Rules {
  readonly parts: string
  /** What may stand between two parts. */
  readonly links: readonly string[]
  /** What the last part may end in. */
  readonly endings: readonly string[]
}

const RULES: Readonly<Record<string, Rules | undefined>> = {
  de: {
    parts: GERMAN_PARTS,
    links: ['', 's', 'es', 'n', 'en', 'e', 'er', 'ens'],
    endings: ['', 'e', 'en', 'n', 's', 'es', 'er', 'ern', 'r', 'se', 'sen', 'in', 'innen'],
  },
  nl: {
    parts: DUTCH_PARTS,
    links: ['', 's', 'e', 'en', 'n', 'er'],
    endings: ['', 'en', 's', 'n', 'e', 'je', 'jes', 'tje', 'tjes'],
  },
}

/** Shorter words are no compounds, or none that can be told. */
const MIN_LENGTH = 7
const MAX_LENGTH = 64
const MIN_PART = 3
const MAX_PART = 24
/** How nouns end that need not be known: those made of verbs and adjectives, which are too many to list. */
const DERIVED = /(?:ung|heit|keit|schaft|tat|ion)$/
const MIN_DERIVED = 7

/** What only ends a word, as in `Menschlichkeit`. */
const SUFFIX = /^(?:(?:en)?s?chaft|sam|lich|ig|isch|bar|haft|los|ier|el|er|seel|selig)/

/** The known words without accents, and how they are written with them. */
interface Lexicon extends Pick<Rules, 'links' | 'endings'> {
  readonly first: ReadonlyMap<string, string>
  readonly last: ReadonlyMap<string, string>
}

interface Split {
  readonly cost: number
  readonly words: readonly string[]
}

const lexicons = new Map<string, Lexicon>()

function lexiconOf(language: string): Lexicon | undefined {
  const known = lexicons.get(language)
  const rules = RULES[language]
  if (known || !rules) return known
  const listed = rules.parts.trim().split(/\s+/)
  const entry = (word: string): [string, string] => [fold(word.replace('-', '')), word.replace('-', '')]
  const last = new Map(listed.filter((word) => !word.endsWith('-')).map(entry))
  const lexicon = { ...rules, last, first: new Map([...listed.map(entry), ...last]) }
  lexicons.set(language, lexicon)
  return lexicon
}

export const hasCompounds = (language: string): boolean => RULES[language] !== undefined

/** The words that a compound is made of, as they stand alone; none for other words and languages. `word` in lower case. */
export function splitCompound(word: string, language: string): readonly string[] {
  const lexicon = lexiconOf(language)
  if (!lexicon || word.length < MIN_LENGTH || word.length > MAX_LENGTH) return []
  const folded = fold(word)
  return split(folded, lexicon) ?? split(folded.replace(/([aou])e/g, '$1'), lexicon) ?? splitDerived(folded, lexicon) ?? []
}

/** Into as few known words as possible, of which the last ones are long. */
function split(word: string, lexicon: Lexicon): readonly string[] | undefined {
  const best: (Split | undefined)[] = [{ cost: 0, words: [] }]
  for (let end = MIN_PART; end < word.length - MIN_PART; end += 1)
    best[end] = cheapest(best, word, end, (part) => firstOf(part, lexicon))
  const found = cheapest(best, word, word.length, (part) => lastOf(part, lexicon))
  return found && found.words.length > 1 ? found.words : found && []
}

function cheapest(best: readonly (Split | undefined)[], word: string, end: number, find: (part: string) => string | undefined) {
  let found: Split | undefined
  for (let start = Math.max(0, end - MAX_PART); start <= end - MIN_PART; start += 1) {
    const before = best[start]
    if (!before || (found && before.cost + 1 >= found.cost)) continue
    const part = find(word.slice(start, end))
    if (part !== undefined) found = { cost: before.cost + 1, words: [...before.words, part] }
  }
  return found
}

/** A part before another one: with a link, or without its last `e`, as in `Schulamt`. */
const firstOf = (part: string, { first, links }: Lexicon): string | undefined =>
  withOneOf(part, first, links) ?? first.get(`${part}e`)
const lastOf = (part: string, { last, endings }: Lexicon): string | undefined =>
  withOneOf(part, last, endings) ?? (part.endsWith('in') ? last.get(part.replace(/in$/, 'e')) : undefined)

function withOneOf(part: string, words: ReadonlyMap<string, string>, endings: readonly string[]): string | undefined {
  for (const ending of endings) {
    const word = part.endsWith(ending) ? words.get(part.slice(0, part.length - ending.length)) : undefined
    if (word !== undefined) return word
  }
  return undefined
}

/** Of a known and a derived word. A derived one that is followed by another always has an `s` behind it. */
function splitDerived(word: string, { first, last, ...rest }: Lexicon): readonly string[] | undefined {
  const single = word.replace(/en$/, '')
  for (let at = MIN_PART + 1; at < word.length - MIN_PART; at += 1) {
    const before = word.slice(0, at)
    const known = lastOf(word.slice(at), { first, last, ...rest })
    if (known !== undefined && before.endsWith('s') && isDerived(before.slice(0, -1))) return [before.slice(0, -1), known]
    const noun = last.get(before) ?? (before.endsWith('s') ? last.get(before.slice(0, -1)) : undefined)
    if (noun !== undefined && isDerived(single.slice(at)) && !SUFFIX.test(single.slice(at))) return [noun, single.slice(at)]
  }
  return undefined
}

const isDerived = (part: string): boolean => part.length >= MIN_DERIVED && DERIVED.test(part)
