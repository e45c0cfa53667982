import { cleanText } from '@youworker/runtime/text/text'
import { Outline } from './outline.ts'
import type { BlockKind, ParsedDocument, SpokenTime } from './parsed-document.ts'
import { PARSING } from './parsing-parameters.ts'

const BETWEEN = '\n\n'
/** Deeper headings are content of the last ones. */
const DEEPEST = 8

interface Content {
  readonly kind?: BlockKind
  readonly page?: number | undefined
  readonly time?: SpokenTime
}

/** Writes the text of a document whose file holds it in another form, block by block. */
export class DocumentBuilder {
  readonly #parts: string[] = []
  readonly #outline = new Outline()
  #length = 0
  #title: string | undefined

  /** Wins over the first heading. */
  set title(title: string | undefined) {
    this.#title = cleanText(title ?? '', { lines: 'join', max: PARSING.maxDocumentTitle }) || this.#title
  }

  get isEmpty(): boolean {
    return this.#length === 0
  }

  heading(depth: number, text: string, { page }: Pick<Content, 'page'> = {}): void {
    const title = cleanText(text, { lines: 'join' })
    if (title === '') return
    const short = cleanText(title, { max: PARSING.maxTitle })
    this.#outline.addHeading({ depth: Math.min(depth, DEEPEST), title: short, ...this.#write(title) }, onPage(page))
  }

  /** What follows belongs under this title, which is no part of the text. */
  section(depth: number, text: string): void {
    const title = cleanText(text, { lines: 'join', max: PARSING.maxTitle })
    if (title !== '') this.#outline.enter({ depth: Math.min(depth, DEEPEST), title })
  }

  add(text: string, { kind, page, time }: Content = {}): void {
    const content = kind === undefined ? text.trim() : text.replace(/^\n+/, '').trimEnd()
    if (content === '') return
    this.#outline.addContent(this.#write(content), {
      ...(kind === undefined ? {} : { kind }),
      ...(time === undefined ? {} : { time }),
      ...onPage(page),
    })
  }

  /** Cells row by row. The first row is repeated where the table is cut. */
  table(rows: Iterable<readonly string[]>, { page }: Pick<Content, 'page'> = {}): void {
    const lines: string[] = []
    let columns = 0
    for (const row of rows) {
      const cells = row.map((cell) => cleanText(cell, { lines: 'join' }).replaceAll('|', '\\|'))
      const used = cells.findLastIndex((cell) => cell !== '') + 1
      if (used === 0) continue
      if (lines.length === 0) columns = used
      lines.push(`| ${cells.slice(0, Math.max(used, columns)).join(' | ')} |`)
    }
    const [header] = lines
    if (header === undefined) return
    const extent = this.#write(lines.join('\n'))
    this.#outline.addContent(extent, {
      kind: 'table',
      ...(lines.length > 1 ? { header } : {}),
      ...onPage(page),
    })
  }

  /** Another document as a part of this one, below `titles`. */
  append(document: ParsedDocument, titles: readonly string[]): void {
    const offset = this.#length === 0 ? 0 : this.#length + BETWEEN.length
    this.#write(document.text)
    for (const { start, end, title_path, text: _, ...details } of document.blocks) {
      this.#outline.addBelow([...titles, ...title_path], { start: start + offset, end: end + offset }, details)
    }
  }

  finish(): ParsedDocument {
    const { title, ...document } = this.#outline.finish(this.#parts.join(''))
    return { ...document, title: this.#title ?? title }
  }

  #write(text: string): { start: number; end: number } {
    if (this.#length > 0) this.#push(BETWEEN)
    const start = this.#length
    this.#push(text)
    return { start, end: this.#length }
  }

  #push(text: string): void {
    this.#parts.push(text)
    this.#length += text.length
  }
}

const onPage = (page: number | undefined): { readonly page?: number } => (page === undefined ? {} : { page })
