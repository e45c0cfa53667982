import type { ParsedBlock } from '../parsing/parsed-document.ts'
import { countTokens } from './count-tokens.ts'

/** A sentence, or a part of one that is too long: the smallest thing that chunks are made of. Offsets as in blocks. */
export interface Unit {
  readonly start: number
  readonly end: number
  readonly tokens: number
}

/** UTF-16 units; keeps a chunk below 8 KiB whatever its script. */
const MAX_UNIT_LENGTH = 1_000

/** Cuts a block after sentences and lines; what is still too long after words, at last anywhere but inside a character. */
export function splitUnits(block: ParsedBlock, maxTokens: number): Unit[] {
  return sentences(block.text).flatMap(([from, to]) =>
    cut(block.text, from, to, maxTokens).map(([start, end]) => unit(block, start, end)),
  )
}

const unit = (block: ParsedBlock, from: number, to: number): Unit => ({
  start: block.start + from,
  end: block.start + to,
  tokens: countTokens(block.text.slice(from, to)),
})

type Range = readonly [from: number, to: number]

const SENTENCE_END = /[.!?…][\p{Pe}\p{Pf}"']*\s+|[。！？]+|\n+/gu

function sentences(text: string): Range[] {
  const ends = [...Array.from(text.matchAll(SENTENCE_END), (match) => match.index + match[0].length), text.length]
  return rangesBetween(0, ends)
}

function cut(text: string, from: number, to: number, maxTokens: number): Range[] {
  if (fits(text.slice(from, to), maxTokens)) return [[from, to]]
  const size = Math.max(1, Math.min(MAX_UNIT_LENGTH, maxTokens))
  const ends: number[] = []
  for (let start = from; start < to; start = ends.at(-1) ?? to) ends.push(cutPoint(text, start, to, size))
  return rangesBetween(from, ends)
}

const fits = (text: string, maxTokens: number) => text.length <= MAX_UNIT_LENGTH && countTokens(text) <= maxTokens

/** The last blank in reach, else the farthest point that is not between two halves of a surrogate pair. */
function cutPoint(text: string, start: number, to: number, size: number): number {
  const limit = Math.min(to, start + size)
  if (limit === to) return to
  const blank = text.lastIndexOf(' ', limit)
  if (blank > start) return blank + 1
  const insidePair = /[\uDC00-\uDFFF]/.test(text[limit] ?? '')
  return insidePair && limit - 1 > start ? limit - 1 : insidePair ? limit + 1 : limit
}

const rangesBetween = (from: number, ends: readonly number[]): Range[] =>
  ends.map((end, i): Range => [i === 0 ? from : (ends[i - 1] ?? from), end]).filter(([start, end]) => end > start)
