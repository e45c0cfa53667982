import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'

const DELIMITERS = [',', ';', '\t', '|'] as const
/** How much of the file decides what stands between cells. UTF-16 units. */
const SAMPLE = 16_384

/** Each record is a row (RFC 4180, and what spreadsheets of other languages write: semicolons, tabs). The first one names the columns. */
export function parseCsv(text: string): ParsedDocument {
  const builder = new DocumentBuilder()
  builder.table(recordsOf(text, delimiterOf(text.slice(0, SAMPLE))))
  return builder.finish()
}

/** The one that gives the most cells, the same number in most records. */
function delimiterOf(sample: string): string {
  const scores = DELIMITERS.map((delimiter) => {
    const counts = [...recordsOf(sample, delimiter)].map((row) => row.length)
    const usual = counts.toSorted((a, b) => a - b)[counts.length >> 1] ?? 1
    const alike = counts.filter((count) => count === usual).length / Math.max(1, counts.length)
    return { delimiter, score: usual > 1 ? alike * 100 + Math.min(usual, 50) : 0 }
  })
  return scores.reduce((best, one) => (one.score > best.score ? one : best)).delimiter
}

function* recordsOf(text: string, delimiter: string): Generator<string[]> {
  let row: string[] = []
  for (let at = 0; at < text.length;) {
    const cell = cellAt(text, at, delimiter)
    row.push(cell.text)
    at = cell.end
    if (text[at] === delimiter) {
      at += 1
      if (at < text.length) continue
      row.push('')
    }
    yield row
    row = []
    at += text[at] === '\r' && text[at + 1] === '\n' ? 2 : 1
  }
}

/** A quote opens a cell only at its beginning, and a cell that is never closed ends with its line. */
function cellAt(text: string, from: number, delimiter: string): { text: string; end: number } {
  if (text[from] === '"') {
    const quoted = quotedAt(text, from + 1)
    if (quoted) return quoted
  }
  const end = endOfCell(text, from, delimiter)
  return { text: text.slice(from, end), end }
}

function quotedAt(text: string, from: number): { text: string; end: number } | undefined {
  let content = ''
  for (let at = from; ;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return undefined
    content += text.slice(at, quote)
    if (text[quote + 1] !== '"') return { text: content, end: quote + 1 }
    content += '"'
    at = quote + 2
  }
}

function endOfCell(text: string, from: number, delimiter: string): number {
  let at = from
  while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at += 1
  return at
}
