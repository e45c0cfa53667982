import type { ParsedBlock, ParsedDocument } from '../parsing/parsed-document.ts'
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

interface ChunkSize {
  readonly tokens: number
  /** Tokens at the end of a chunk that the next one of the same section repeats. */
  readonly overlap: number
}

const MAX_CHUNK_LENGTH = 2_600

/** Packs sentences into chunks of at most `tokens`, never across a heading or a page. */
export function chunkDocument(document: ParsedDocument, size: ChunkSize): Chunk[] {
  const chunks: Chunk[] = []
  for (const section of sectionsOf(document.blocks)) {
    const [first] = section
    if (!first) continue
    const units = section.flatMap((block) => splitUnits(block, size.tokens))
    for (const { start, end } of pack(units, size)) {
      const text = document.text.slice(start, end).trimEnd()
      if (text.trim() === '') continue
      const page = first.page === undefined ? {} : { page: first.page }
      chunks.push({ index: chunks.length, text, title_path: first.title_path, ...page, start, end: start + text.length })
    }
  }
  return chunks
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

function pack(units: readonly Unit[], { tokens, overlap }: ChunkSize): Pick<Unit, 'start' | 'end'>[] {
  const packed: Pick<Unit, 'start' | 'end'>[] = []
  let open: Unit[] = []
  for (const unit of units) {
    if (open.length > 0 && !hasRoom(open, unit, tokens)) {
      packed.push(spanOf(open))
      open = tail(open, overlap)
      if (!hasRoom(open, unit, tokens)) open = []
    }
    open.push(unit)
  }
  if (open.length > 0) packed.push(spanOf(open))
  return packed
}

const hasRoom = (open: readonly Unit[], unit: Unit, tokens: number) =>
  sum(open) + unit.tokens <= tokens && unit.end - (open[0]?.start ?? unit.start) <= MAX_CHUNK_LENGTH

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
