import { isUnspaced } from './search-terms.ts'

const MAX_LENGTH = 300
const LEAD = 40
const WORD = /[\p{L}\p{N}\p{M}]+/gu

interface Match {
  readonly at: number
  readonly term: string
}

/** At most 300 UTF-16 units around the densest group of terms; the beginning when no term is found. */
export function snippetOf(text: string, terms: readonly string[]): string {
  if (text.length <= MAX_LENGTH) return oneLine(text)
  const start = Math.max(0, bestStart(matchesOf(text, terms)) - LEAD)
  return cut(text, start === 0 ? 0 : wordStart(text, start))
}

function matchesOf(text: string, terms: readonly string[]): Match[] {
  const words = terms.filter((term) => !isUnspaced(term)).map(fold)
  const matches: Match[] = []
  for (const match of text.matchAll(WORD)) {
    const word = fold(match[0])
    const term = words.find((candidate) => isForm(word, candidate))
    if (term !== undefined) matches.push({ at: match.index, term })
  }
  for (const term of terms.filter(isUnspaced)) {
    for (let at = text.indexOf(term); at !== -1; at = text.indexOf(term, at + 1)) matches.push({ at, term })
  }
  return matches.sort((a, b) => a.at - b.at)
}

const fold = (word: string): string => word.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()

/** `days` and `day`, `running` and `run` nearly: the lexical index stems, so the snippet need not be stricter. */
function isForm(word: string, term: string): boolean {
  if (word === term) return true
  const stem = term.slice(0, Math.max(3, term.length - 2))
  return term.length >= 4 && word.startsWith(stem) && word.length <= term.length + 3
}

function bestStart(matches: readonly Match[]): number {
  let best = { at: 0, count: 0 }
  matches.forEach(({ at }, index) => {
    const near = new Set<string>()
    for (let next = index; next < matches.length; next += 1) {
      const match = matches[next]
      if (!match || match.at > at + MAX_LENGTH - 2 * LEAD) break
      near.add(match.term)
    }
    if (near.size > best.count) best = { at, count: near.size }
  })
  return best.at
}

/** The first beginning of a word from `start` on, if there is one close by. */
function wordStart(text: string, start: number): number {
  const space = text.slice(start, start + LEAD).search(/\s/)
  return space === -1 ? start : start + space + 1
}

function cut(text: string, start: number): string {
  const from = isLowSurrogate(text, start) ? start + 1 : start
  const length = MAX_LENGTH - 2
  let to = Math.min(text.length, from + length)
  if (to < text.length) {
    const space = text.lastIndexOf(' ', to)
    if (space > from + length / 2) to = space
    else if (isLowSurrogate(text, to)) to -= 1
  }
  return `${from > 0 ? '…' : ''}${oneLine(text.slice(from, to))}${to < text.length ? '…' : ''}`
}

const isLowSurrogate = (text: string, at: number): boolean => /^[\uDC00-\uDFFF]/.test(text.charAt(at))
const oneLine = (text: string): string => text.replaceAll(/\s+/gu, ' ').trim()
