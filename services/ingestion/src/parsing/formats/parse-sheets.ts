import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { numberFormats, type ShowNumber } from './sheet-numbers.ts'
import { readRelations, readXml, titleIn } from './xml-events.ts'
import { ZipFile } from './zip-file.ts'

const BOOK = 'xl/workbook.xml'
/** A sheet with more cells, empty ones among them, is shown without the empty ones. */
const MOST_CELLS = 2_000_000

interface Book {
  readonly sheets: { readonly name: string; readonly id: string }[]
  from1904: boolean
}

/** Every sheet of an Excel workbook below its name, with all its rows (ECMA-376 part 1, section 18). */
export function parseSheets({ bytes }: FileContent, scope: ReadingScope): ParsedDocument {
  const zip = new ZipFile(bytes, scope)
  const xml = zip.text(BOOK)
  if (xml === undefined) {
    const isBinary = zip.has('xl/workbook.bin')
    throw new Unreadable(
      isBinary
        ? 'it is a binary workbook; save it as .xlsx'
        : 'the name says Excel, but the content is not an Excel workbook; send it as what it is',
    )
  }
  const book = readBook(xml)
  const paths = new Map(readRelations(zip.text('xl/_rels/workbook.xml.rels'), 'xl').map(({ id, target }) => [id, target]))
  const strings = readStrings(zip.text('xl/sharedStrings.xml') ?? '')
  const formats = numberFormats(zip.text('xl/styles.xml') ?? '', book.from1904)
  const builder = new DocumentBuilder()
  builder.title = titleIn(zip.text('docProps/core.xml'))
  for (const { name, id } of book.sheets) {
    const sheet = zip.text(paths.get(id) ?? '')
    if (sheet === undefined) continue
    const rows = readRows(sheet, strings, formats)
    if (rows.length === 0) continue
    builder.heading(1, name)
    builder.table(withColumns(rows))
  }
  return scope.finish(builder)
}

function readBook(xml: string): Book {
  const book: Book = { sheets: [], from1904: false }
  readXml(xml, {
    open: (name, attributes) => {
      if (name === 'workbookPr') book.from1904 = /^(?:1|true)$/.test(attributes['date1904'] ?? '')
      if (name === 'sheet') book.sheets.push({ name: attributes['name'] ?? '', id: attributes['r:id'] ?? '' })
    },
  })
  return book
}

function readStrings(xml: string): string[] {
  const strings: string[] = []
  let text = ''
  let phonetic = false
  readXml(xml, {
    open: (name) => {
      if (name === 'si') text = ''
      if (name === 'rPh') phonetic = true
    },
    text: (part, parent) => {
      if (parent === 't' && !phonetic) text += part
    },
    close: (name) => {
      if (name === 'rPh') phonetic = false
      if (name === 'si') strings.push(text)
    },
  })
  return strings
}

/** Texts by column, from 0; only those of cells that have one. */
type Row = ReadonlyMap<number, string>

function readRows(xml: string, strings: readonly string[], show: ShowNumber): Row[] {
  const rows: Row[] = []
  let row = new Map<number, string>()
  let cell = { column: 0, type: '', style: 0 }
  let text = ''
  readXml(xml, {
    open: (name, { r = '', t = 'n', s = '0' }) => {
      if (name === 'row') row = new Map()
      if (name !== 'c') return
      text = ''
      cell = { column: r === '' ? cell.column + 1 : columnOf(r), type: t, style: Number(s) }
    },
    text: (part, parent) => {
      if (parent === 'v' || parent === 't') text += part
    },
    close: (name) => {
      if (name === 'row' && row.size > 0) rows.push(row)
      if (name !== 'c') return
      const shown = shownAs(text, cell, strings, show).trim()
      if (shown !== '') row.set(cell.column, shown)
    },
  })
  return rows
}

function shownAs(
  text: string,
  { type, style }: { readonly type: string; readonly style: number },
  strings: readonly string[],
  show: ShowNumber,
): string {
  if (type === 's') return strings[Number(text)] ?? ''
  if (type === 'b') return text === '1' ? 'TRUE' : 'FALSE'
  return type === 'n' && text !== '' ? show(text, style) : text
}

/** `BC12` stands in column 54. */
function columnOf(reference: string): number {
  let column = 0
  for (const letter of /^[A-Z]{1,3}/.exec(reference)?.[0] ?? 'A') column = column * 26 + letter.charCodeAt(0) - 64
  return column - 1
}

/** All rows with the same columns, those that are empty in every row left out. */
function withColumns(rows: readonly Row[]): string[][] {
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))].sort((a, b) => a - b)
  if (columns.length * rows.length > MOST_CELLS) return rows.map((row) => [...row.values()])
  return rows.map((row) => columns.map((column) => row.get(column) ?? ''))
}
