/** A run of letters as it stands on the page: `transform[4]` and `[5]` are its left end and its baseline, in points. */
export interface PageText {
  readonly str: string
  readonly transform: readonly number[]
  readonly width: number
  readonly height: number
}

export type PageBlock =
  | { readonly kind: 'prose'; readonly text: string }
  | { readonly kind: 'table'; readonly rows: readonly (readonly string[])[] }

interface Cell {
  text: string
  readonly from: number
  to: number
}

interface Line {
  readonly y: number
  readonly height: number
  readonly cells: Cell[]
}

/** All in heights of a line. A gap that is wider parts words, or cells; one that is taller parts paragraphs. */
const WORD_GAP = 0.12
const CELL_GAP = 0.7
const PARAGRAPH_GAP = 1.7
const SAME_LINE = 0.45
/** Longer ones are columns of a text, not cells of a table. UTF-16 units, on average. */
const LONGEST_CELL = 48

/** Paragraphs, and tables where lines one below the other have cells that stand below each other. */
export function blocksOf(texts: readonly PageText[]): PageBlock[] {
  const blocks: PageBlock[] = []
  let prose: Line[] = []
  const flush = () => {
    blocks.push(...paragraphsOf(prose))
    prose = []
  }
  for (const part of partsOf(linesOf(texts))) {
    const rows = part.isRows ? rowsOf(part.lines) : undefined
    if (!rows) {
      prose.push(...part.lines)
      continue
    }
    flush()
    blocks.push({ kind: 'table', rows })
  }
  flush()
  return blocks
}

function linesOf(texts: readonly PageText[]): Line[] {
  const lines: Line[] = []
  let blank = false
  for (const { str, transform, width, height } of texts) {
    const [, , , , x = 0, y = 0] = transform
    if (str.trim() === '') {
      blank = true
      continue
    }
    const size = height || 10
    const line = lines.at(-1)
    const last = line?.cells.at(-1)
    const gap = x - (last?.to ?? 0)
    if (line && last && Math.abs(y - line.y) <= size * SAME_LINE && gap > -size) {
      if (gap > size * CELL_GAP) line.cells.push({ text: str, from: x, to: x + width })
      else {
        last.text += (blank || gap > size * WORD_GAP) && !/\s$/.test(last.text) ? ` ${str}` : str
        last.to = x + width
      }
    } else lines.push({ y, height: size, cells: [{ text: str, from: x, to: x + width }] })
    blank = false
  }
  return lines
}

/** Lines with several cells that follow each other, and those between them. */
function partsOf(lines: readonly Line[]): { readonly isRows: boolean; readonly lines: Line[] }[] {
  const parts: { isRows: boolean; lines: Line[] }[] = []
  for (const line of lines) {
    const isRows = line.cells.length > 1
    const part = parts.at(-1)
    if (part?.isRows === isRows) part.lines.push(line)
    else parts.push({ isRows, lines: [line] })
  }
  return parts
}

/** Undefined when it is no table. Cells of one column overlap, so that numbers that end below each other are in one, too. */
function rowsOf(lines: readonly Line[]): string[][] | undefined {
  const cells = lines.flatMap((line) => line.cells)
  const length = cells.reduce((sum, { text }) => sum + text.length, 0) / cells.length
  if (lines.length < 2 || length > LONGEST_CELL) return undefined
  const [first] = lines
  if (lines.every((line) => line.cells.length === first?.cells.length))
    return lines.map((line) => line.cells.map(({ text }) => text.trim()))
  const columns: { from: number; to: number }[] = []
  for (const { from, to } of cells.toSorted((a, b) => a.from - b.from)) {
    const column = columns.at(-1)
    if (column && from < column.to) column.to = Math.max(column.to, to)
    else columns.push({ from, to })
  }
  if (columns.length < 2) return undefined
  return lines.map((line) =>
    columns.map(({ from, to }) =>
      line.cells
        .filter((cell) => cell.from >= from && cell.from < to)
        .map(({ text }) => text.trim())
        .join(' '),
    ),
  )
}

function paragraphsOf(lines: readonly Line[]): PageBlock[] {
  const paragraphs: string[][] = []
  let above: Line | undefined
  for (const line of lines) {
    const text = line.cells.map((cell) => cell.text).join(' ')
    const size = Math.max(line.height, above?.height ?? 0)
    const goesOn = above && above.y - line.y <= size * PARAGRAPH_GAP && above.y > line.y
    if (goesOn) paragraphs.at(-1)?.push(text)
    else paragraphs.push([text])
    above = line
  }
  return paragraphs.map((paragraph) => ({ kind: 'prose', text: paragraph.join('\n') }))
}
