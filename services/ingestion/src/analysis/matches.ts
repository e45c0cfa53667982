import { termsOfToken } from './analyse.ts'
import { fold, lowerCase } from './fold.ts'
import type { QueryTerm } from './query.ts'
import { type Token, tokensOf } from './tokens.ts'
import { UNKNOWN } from './unknown-language.ts'

/** Where a text has one of the terms. Offsets in UTF-16 units. */
export interface Match {
  readonly start: number
  readonly end: number
  /** Index of the term. */
  readonly term: number
}

/** The occurrences of the asked terms in a text of the language, in its order. */
export function matchesIn(text: string, language: string, terms: readonly QueryTerm[]): Match[] {
  const asked = new Map<string, number>()
  terms.forEach(({ forms, use }, n) => {
    if (use !== 'not') for (const form of forms) if (!asked.has(form)) asked.set(form, n)
  })
  if (asked.size === 0) return []
  const matches: Match[] = []
  for (const token of tokensOf(text)) {
    if (token.kind === 'unspaced') matches.push(...pairMatches(token, asked))
    else {
      const term = firstOf(termsOfToken(token, language), asked)
      if (term !== undefined) matches.push({ start: token.start, end: token.end, term })
    }
  }
  return matches
}

function firstOf(terms: readonly string[], asked: ReadonlyMap<string, number>): number | undefined {
  for (const term of terms) {
    const found = asked.get(term)
    if (found !== undefined) return found
  }
  return undefined
}

function pairMatches({ parts, start }: Token, asked: ReadonlyMap<string, number>): Match[] {
  const letters = Array.from(parts.join(''))
  const matches: Match[] = []
  let at = start
  letters.forEach((letter, n) => {
    const next = letters[n + 1] ?? ''
    const pair = asked.get(letter + next)
    const single = asked.get(letter)
    if (pair !== undefined && next !== '') matches.push({ start: at, end: at + letter.length + next.length, term: pair })
    else if (single !== undefined) matches.push({ start: at, end: at + letter.length, term: single })
    at += letter.length
  })
  return matches
}

/** Whether a text has any of the terms. */
export function hasTerm(text: string, language: string, terms: readonly QueryTerm[]): boolean {
  const asked = new Set(terms.flatMap(({ forms }) => forms))
  for (const token of tokensOf(text)) if (termsOfToken(token, language).some((form) => asked.has(form))) return true
  return false
}

/** Whether a text has the words of the phrase one after the other, whatever their case, accents and the signs between them. */
export const hasPhrase = (text: string, phrase: string): boolean => plain(text).includes(plain(phrase))

/** Words with one space around each, and unspaced scripts as they are. */
function plain(text: string): string {
  let result = ''
  for (const { kind, parts } of tokensOf(text)) {
    const words = parts.map((part) => fold(lowerCase(part, UNKNOWN))).join(kind === 'unspaced' ? '' : ' ')
    if (kind === 'unspaced') result += words
    else result += result.endsWith(' ') ? `${words} ` : ` ${words} `
  }
  return result
}
