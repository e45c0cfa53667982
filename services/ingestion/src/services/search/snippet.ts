import type { Match } from '../../analysis/matches.ts'

const MAX_LENGTH = 300
const LEAD = 40

/** At most 300 UTF-16 units around the densest group of different terms; the beginning when there are none. */
export function snippetOf(text: string, matches: readonly Match[]): string {
  if (text.length <= MAX_LENGTH) return oneLine(text)
  const start = Math.max(0, bestStart(matches) - LEAD)
  return cut(text, start === 0 ? 0 : wordStart(text, start))
}

function bestStart(matches: readonly Match[]): number {
  let best = { at: 0, count: 0 }
  matches.forEach(({ start: at }, index) => {
    const near = new Set<number>()
    for (let next = index; next < matches.length; next += 1) {
      const match = matches[next]
      if (!match || match.start > at + MAX_LENGTH - 2 * LEAD) break
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
