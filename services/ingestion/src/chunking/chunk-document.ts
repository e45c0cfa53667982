import { countTokens } from '@youworker/runtime/text/count-tokens'
import type { ParsedBlock, ParsedDocument, SpokenTime } from '../parsing/parsed-document.ts'
import { CHUNKING } from './chunking-parameters.ts'
import { splitUnits, type Unit } from './split-units.ts'

export interface Chunk {
  /** Dense from 0. */
  readonly index: number
  /** What stands from `start` to `end`; a part of a table has the row with the names of its columns before it. */
  readonly text: string
  readonly title_path: readonly string[]
  /** From 1; only for paged formats. */
  readonly page?: number
  /** Where in a recording it is said, in seconds. */
  readonly time?: SpokenTime
  /** Offsets into the document's text, in UTF-16 units. */
  readonly start: number
  readonly end: number
}

export interface ChunkSize {
  readonly tokens: number
  /** Tokens at the end of a chunk that the next one of the same section repeats. */
  readonly overlap: number
}

/**
 * Packs sentences, rows and lines into chunks of at most `tokens`, never across a heading or a page. Paragraphs, tables and code stay
 * whole where they fit. Lazy, so that the caller can interrupt a long text.
 */
export function* chunkDocument(document: ParsedDocument, size: ChunkSize): Generator<Chunk> {
  let index = 0
  for (const section of sectionsOf(document.blocks)) {
    const [first] = section
    if (!first) continue
    const timeFrom = timesOf(section)
    for (const units of pack(unitsOf(section, size.tokens), size)) {
      const [opening, end] = [units[0], units.at(-1)?.end]
      if (!opening || end === undefined) continue
      const shown = document.text.slice(opening.start, end).trimEnd()
      if (shown.trim() === '') continue
      const text = opening.header === undefined ? shown : `${opening.header}\n${shown}`
      const page = first.page === undefined ? {} : { page: first.page }
      const extent = { start: opening.start, end: opening.start + shown.length }
      yield { index, text, title_path: first.title_path, ...page, ...timeFrom(extent), ...extent }
      index += 1
    }
  }
}

/** Of the blocks that a chunk has parts of. Chunks are asked for in their order. */
function timesOf(section: readonly ParsedBlock[]): (chunk: Pick<Chunk, 'start' | 'end'>) => Pick<Chunk, 'time'> {
  let at = 0
  return ({ start, end }) => {
    while ((section[at]?.end ?? Infinity) <= start) at += 1
    let last = at
    while ((section[last + 1]?.start ?? Infinity) < end) last += 1
    const [from, to] = [section[at]?.time, section[last]?.time]
    return from && to ? { time: { start: from.start, end: to.end } } : {}
  }
}

function* unitsOf(section: readonly ParsedBlock[], tokens: number): Generator<Unit> {
  for (const block of section) yield* splitUnits(block, tokens)
}

function sectionsOf(blocks: readonly ParsedBlock[]): ParsedBlock[][] {
  const sections: ParsedBlock[][] = []
  let key: string | undefined
  for (const block of blocks) {
    const next = JSON.stringify([block.page, block.title_path])
    if (next === key) sections.at(-1)?.push(block)
    else sections.push([block])
    key = next
  }
  return sections
}

function* pack(units: Iterable<Unit>, size: ChunkSize): Generator<readonly Unit[]> {
  let pending: Unit[] = []
  for (const unit of units) {
    if (pending.length > 0 && (!fitsInto(pending, unit, size.tokens) || beginsBetterAnew(pending, unit, size.tokens))) {
      yield pending
      pending = unit.kind === 'prose' ? tail(pending, size.overlap) : []
      if (!fitsInto(pending, unit, size.tokens)) pending = []
    }
    pending.push(unit)
  }
  if (pending.length > 0) yield pending
}

function fitsInto(pending: readonly Unit[], unit: Unit, tokens: number): boolean {
  const [first = unit] = pending
  const { header = '' } = first
  const length = header.length + unit.end - first.start
  return sum(pending) + unit.tokens + countTokens(header) <= tokens && length <= CHUNKING.maxChunk
}

/** A block that is no part of this chunk as a whole begins the next one; a paragraph only if this one is not left half empty. */
function beginsBetterAnew(pending: readonly Unit[], { whole, kind }: Unit, tokens: number): boolean {
  if (whole === undefined) return false
  const used = sum(pending)
  return used + whole > tokens && (kind !== 'prose' || used >= tokens / 2)
}

const sum = (units: readonly Unit[]) => units.reduce((total, unit) => total + unit.tokens, 0)

/** The last whole sentences within `overlap` tokens; never all units, so that chunks advance. */
function tail(units: readonly Unit[], overlap: number): Unit[] {
  let from = units.length
  let total = 0
  while (from > 1 && units[from - 1]?.kind === 'prose') {
    total += units[from - 1]?.tokens ?? 0
    if (total > overlap) break
    from -= 1
  }
  return units.slice(from)
}
