import type { BlockKind, ParsedBlock } from '../parsing/parsed-document.ts'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { CHUNKING } from './chunking-parameters.ts'

/** A sentence, a row or a line, or a part of one that is too long: the smallest thing that chunks are made of. Offsets as in blocks. */
export interface Unit {
  readonly start: number
  readonly end: number
  readonly tokens: number
  readonly kind: BlockKind
  /** Of the first unit of a block that could be a chunk by itself: the tokens of the whole block. */
  readonly whole?: number
  /** What a chunk that begins with this unit says before it. */
  readonly header?: string
}

/** Cuts a block where its kind allows, then what is still too long after words, then anywhere but inside a character. Lazy. */
export function* splitUnits(block: ParsedBlock, maxTokens: number): Generator<Unit> {
  const { kind = 'prose' } = block
  const whole = block.text.length <= CHUNKING.maxChunk ? countTokens(block.text) : undefined
  const header = headerOf(block, maxTokens)
  let isFirst = true
  for (const [from, to] of kind === 'prose' ? sentences(block.text) : lines(block.text)) {
    for (const [start, end] of cut(block.text, from, to, maxTokens)) {
      const unit = { start: block.start + start, end: block.start + end, tokens: countTokens(block.text.slice(start, end)), kind }
      const isInHeader = header !== undefined && start < header.length
      yield {
        ...unit,
        ...(isFirst && whole !== undefined && whole <= maxTokens ? { whole } : {}),
        ...(header === undefined || isInHeader ? {} : { header }),
      }
      isFirst = false
    }
  }
}

function headerOf({ header }: ParsedBlock, maxTokens: number): string | undefined {
  if (header === undefined || header.length > CHUNKING.maxUnit * CHUNKING.maxHeader) return undefined
  return countTokens(header) <= maxTokens * CHUNKING.maxHeader ? header : undefined
}

type Range = readonly [from: number, to: number]

const SENTENCE_END = /[.!?…][\p{Pe}\p{Pf}"']*\s+|[。！？]+|\n+/gu

const sentences = (text: string): Generator<Range> => between(text, SENTENCE_END)

const lines = (text: string): Generator<Range> => between(text, /\n+/g)

function* between(text: string, ends: RegExp): Generator<Range> {
  let from = 0
  for (const { 0: mark, index } of text.matchAll(ends)) {
    const to = index + mark.length
    yield [from, to]
    from = to
  }
  if (from < text.length) yield [from, text.length]
}

function* cut(text: string, from: number, to: number, maxTokens: number): Generator<Range> {
  if (fits(text.slice(from, to), maxTokens)) return yield [from, to]
  const size = Math.max(1, Math.min(CHUNKING.maxUnit, maxTokens))
  for (let start = from; start < to;) {
    const end = cutPoint(text, start, to, size)
    yield [start, end]
    start = end
  }
}

const fits = (text: string, maxTokens: number) => text.length <= CHUNKING.maxUnit && countTokens(text) <= maxTokens

/** The last blank in reach, else the farthest point that is not between two halves of a surrogate pair. */
function cutPoint(text: string, start: number, to: number, size: number): number {
  const limit = Math.min(to, start + size)
  if (limit === to) return to
  // Only this part is searched: to search a text without blanks from its start for each part takes quadratic time.
  const blank = text.slice(start, limit + 1).lastIndexOf(' ')
  if (blank > 0) return start + blank + 1
  const insidePair = /[\uDC00-\uDFFF]/.test(text[limit] ?? '')
  return insidePair && limit - 1 > start ? limit - 1 : insidePair ? limit + 1 : limit
}
