import { createStemmer, type IsoCode } from 'multilingual-stemmer'
import { splitCompound } from './compounds/split-compound.ts'
import { fold, isAscii, lowerCase } from './fold.ts'
import { WordMemory } from './word-memory.ts'
import type { Word } from './words.ts'

const STEMMED: readonly IsoCode[] = [
  ...(['ar', 'hy', 'eu', 'ca', 'cs', 'da', 'nl', 'en', 'et', 'fi', 'fr', 'de', 'el', 'hi', 'hu', 'id', 'ga'] as const),
  ...(['it', 'lt', 'no', 'fa', 'pl', 'pt', 'ro', 'ru', 'sr', 'es', 'sv', 'ta', 'tr'] as const),
]
/** Languages whose own spelling has ä, ö or ü: they are letters there, and the German stemmer reads `ue` as `ü`. */
const WITH_UMLAUTS = new Set(['de', 'sv', 'fi', 'et', 'hu', 'tr', 'az'])
const UMLAUTS: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue' }
/** In Hebrew these are written at the front of the word: the, and, in, to, from, like, that; also several of them, as in `and that in the`. */
const HEBREW_PREFIX = /^[הובלמכש](?=[\u05D0-\u05EA]{3})/u
const MAX_PREFIXES = 3
/** Snowball lengthens `dagen` to `daag` and leaves `vakantiedag`, so a stem is written with the short vowel. */
const LONG_VOWEL = /([aeou])\1(?=[^aeiouy]+$)/
const MAX_LENGTH = 64

type Stem = (word: string) => string
const stemmers = new Map<string, Stem>()
const remembered = new WordMemory<readonly string[]>()
const rememberedParts = new WordMemory<readonly Word[]>()
const NONE: readonly Word[] = []

function stemmerOf(language: string): Stem {
  const known = stemmers.get(language)
  if (known) return known
  const code = STEMMED.find((stemmed) => stemmed === language)
  const snowball = code === undefined ? (word: string) => word : createStemmer(code)
  const stem = code === 'nl' ? (word: string) => snowball(word).replace(LONG_VOWEL, '$1') : snowball
  stemmers.set(language, stem)
  return stem
}

/** The terms that a word has in a text of the language; the first one is the usual. */
export function formsOf({ kind, text }: Word, language: string): readonly string[] {
  if (kind === 'fixed') return [cut(text)]
  const known = remembered.get(language, text)
  if (known) return known
  const forms = [...new Set(newForms(cut(lowerCase(text, language)), language).map(fold))].filter((form) => form !== '')
  return remembered.set(language, text, forms)
}

/** The words that a compound is made of, as `Urlaub` and `Antrag` of `Urlaubsantrag`; none for other words. */
export function partsOf({ kind, text }: Word, language: string): readonly Word[] {
  if (kind === 'fixed') return NONE
  const known = rememberedParts.get(language, text)
  if (known) return known
  const parts = splitCompound(lowerCase(text, language), language).map((part): Word => ({ kind: 'word', text: part }))
  return rememberedParts.set(language, text, parts.length === 0 ? NONE : parts)
}

/** The term of a word inside a compound. All others are in lower case, so that a word can be asked for with those or without. */
export const insideCompound = (term: string): string => term.toUpperCase()

/** A word that was typed without its accents has another stem than with them, so both are kept. */
function newForms(word: string, language: string): string[] {
  const stem = stemmerOf(language)
  const usual = stem(word)
  if (isAscii(word)) return [usual]
  const forms = [usual, stem(fold(word))]
  if (!WITH_UMLAUTS.has(language) && /[äöü]/.test(word))
    forms.push(stem(word.replace(/[äöü]/g, (letter) => UMLAUTS[letter] ?? letter)))
  let bare = fold(word)
  for (let n = 0; n < MAX_PREFIXES && HEBREW_PREFIX.test(bare); n += 1) {
    bare = bare.slice(1)
    forms.push(bare)
  }
  return forms
}

const cut = (text: string): string => (text.length <= MAX_LENGTH ? text : Array.from(text).slice(0, MAX_LENGTH).join(''))
