import type { ParsedBlock, ParsedDocument } from '../parsing/parsed-document.ts'
import { CHUNKING } from './chunking-parameters.ts'
import { splitUnits, type Unit } from './split-units.ts'

export interface Chunk {
  /** Dense from 0. */
  readonly index: number
  readonly text: string
  readonly title_path: readonly string[]
  /** From 1; only for paged formats. */
  readonly page?: number
  /** Offsets into the document's text, in UTF-16 units. */
  readonly start: number
  readonly end: number
}

export interface ChunkSize {
  readonly tokens: number
  /** Tokens at the end of a chunk that the next one of the same section repeats. */
  readonly overlap: number
}

/** Packs sentences into chunks of at most `tokens`, never across a heading or a page. Lazy, so that the caller can interrupt a long text. */
export function* chunkDocument(document: ParsedDocument, size: ChunkSize): Generator<Chunk> {
  let index = 0
  for (const section of sectionsOf(document.blocks)) {
    const [first] = section
    if (!first) continue
    for (const { start, end } of pack(unitsOf(section, size.tokens), size)) {
      const text = document.text.slice(start, end).trimEnd()
      if (text.trim() === '') continue
      const page = first.page === undefined ? {} : { page: first.page }
      yield { index, text, title_path: first.title_path, ...page, start, end: start + text.length }
      index += 1
    }
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

function* pack(units: Iterable<Unit>, { tokens, overlap }: ChunkSize): Generator<Pick<Unit, 'start' | 'end'>> {
  let pending: Unit[] = []
  for (const unit of units) {
    if (pending.length > 0 && !fitsInto(pending, unit, tokens)) {
      yield spanOf(pending)
      pending = tail(pending, overlap)
      if (!fitsInto(pending, unit, tokens)) pending = []
    }
    pending.push(unit)
  }
  if (pending.length > 0) yield spanOf(pending)
}

const fitsInto = (pending: readonly Unit[], unit: Unit, tokens: number) =>
  sum(pending) + unit.tokens <= tokens && unit.end - (pending[0]?.start ?? unit.start) <= CHUNKING.maxChunk

const sum = (units: readonly Unit[]) => units.reduce((total, unit) => total + unit.tokens, 0)

const spanOf = (units: readonly Unit[]) => ({ start: units[0]?.start ?? 0, end: units.at(-1)?.end ?? 0 })

/** The last whole units within `overlap` tokens; never all of them, so that chunks advance. */
function tail(units: readonly Unit[], overlap: number): Unit[] {
  let from = units.length
  let total = 0
  while (from > 1) {
    total += units[from - 1]?.tokens ?? 0
    if (total > overlap) break
    from -= 1
  }
  return units.slice(from)
}
