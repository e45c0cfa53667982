import type { DocumentBuilder } from '../document-builder.ts'

/** Deeper items of a list stand as far in as this. */
const DEEPEST_ITEM = 8

interface Paragraph {
  text: string
  heading: number | undefined
  /** Depth in a list, from 0. */
  item: number | undefined
}

interface Table {
  readonly rows: string[][]
  cell: string
}

/** Puts what a word processor writes, paragraph by paragraph and cell by cell, into blocks: a list is one block, and so is a table. */
export class TextFlow {
  readonly #builder: DocumentBuilder
  readonly #page: number | undefined
  readonly #paragraphs: Paragraph[] = []
  readonly #tables: Table[] = []
  #list: string[] = []

  constructor(builder: DocumentBuilder, page?: number) {
    this.#builder = builder
    this.#page = page
  }

  openParagraph(): void {
    this.#paragraphs.push({ text: '', heading: undefined, item: undefined })
  }

  append(text: string): void {
    const paragraph = this.#paragraphs.at(-1)
    if (paragraph) paragraph.text += text
  }

  setHeading(depth: number | undefined): void {
    const paragraph = this.#paragraphs.at(-1)
    if (paragraph && depth !== undefined) paragraph.heading = Math.max(1, depth)
  }

  setItem(depth: number): void {
    const paragraph = this.#paragraphs.at(-1)
    if (paragraph) paragraph.item = Math.min(DEEPEST_ITEM, Math.max(0, depth))
  }

  closeParagraph(): void {
    const paragraph = this.#paragraphs.pop()
    const text = paragraph?.text.trim() ?? ''
    if (!paragraph || text === '') return
    const table = this.#tables.at(-1)
    // A text box stands within a paragraph.
    const around = this.#paragraphs.at(-1)
    if (table) table.cell += `${text}\n`
    else if (around) around.text += `\n${text}\n`
    else if (paragraph.heading !== undefined) this.#heading(paragraph.heading, text)
    else if (paragraph.item !== undefined) this.#list.push(`${'  '.repeat(paragraph.item)}- ${text}`)
    else this.#add(text)
  }

  openTable(): void {
    this.#endList()
    this.#tables.push({ rows: [], cell: '' })
  }

  openRow(): void {
    this.#tables.at(-1)?.rows.push([])
  }

  openCell(): void {
    const table = this.#tables.at(-1)
    if (table) table.cell = ''
  }

  /** `times`: cells beside it with the same text. */
  closeCell(times = 1): void {
    const table = this.#tables.at(-1)
    const row = table?.rows.at(-1)
    if (!table || !row) return
    for (let at = 0; at < times; at += 1) row.push(table.cell.trim())
    table.cell = ''
  }

  /** A table of one column only lays the page out, and one within a cell is text of the cell. */
  closeTable(): void {
    const table = this.#tables.pop()
    if (!table) return
    const outer = this.#tables.at(-1)
    const rows = table.rows.filter((row) => row.some((cell) => cell !== ''))
    if (outer) outer.cell += `${rows.map((row) => row.join(' ')).join('\n')}\n`
    else if (rows.some((row) => row.length > 1)) this.#builder.table(rows, { page: this.#page })
    else for (const [cell = ''] of rows) this.#add(cell)
  }

  finish(): void {
    while (this.#tables.length > 0) this.closeTable()
    this.#endList()
  }

  #heading(depth: number, text: string): void {
    this.#endList()
    this.#builder.heading(depth, text, { page: this.#page })
  }

  #add(text: string): void {
    this.#endList()
    this.#builder.add(text, { page: this.#page })
  }

  #endList(): void {
    if (this.#list.length > 0) this.#builder.add(this.#list.join('\n'), { page: this.#page })
    this.#list = []
  }
}
