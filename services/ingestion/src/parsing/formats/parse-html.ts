import { Parser } from 'htmlparser2'
import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import { Unreadable } from '../unreadable.ts'

/** Elements whose text is not part of the page. */
const NOISE = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'nav',
  'iframe',
  'object',
  'embed',
  'svg',
  'canvas',
  'button',
  'input',
  'select',
  'textarea',
  'dialog',
])
const NOISY_ROLES = new Set(['navigation', 'banner', 'contentinfo', 'search', 'dialog', 'alertdialog', 'menu', 'menubar'])
/** Elements whose text runs on within the line. */
const INLINE = new Set(
  'a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike strong sub sup time tt u var wbr'.split(
    ' ',
  ),
)
/** A page whose `main` has less text than this keeps it elsewhere. UTF-16 units. */
const LEAST_MAIN = 200
/** Open elements: the time of the parser grows with their square. */
const DEEPEST = 5_000

/** The page's text with its headings, lists and tables, without scripts and controls; of a page that marks its main part, only that. */
export function parseHtml(html: string): ParsedDocument {
  if (/<main[\s>]|role=["']?main/i.test(html)) {
    const main = read(html, true)
    if (main.text.length >= LEAST_MAIN) return main
  }
  return read(html, false)
}

function read(html: string, mainOnly: boolean): ParsedDocument {
  const reader = new HtmlReader(mainOnly)
  const parser = new Parser(
    {
      onopentag: (name, attributes) => reader.open(name, attributes),
      ontext: (text) => reader.text(text),
      onclosetag: (name) => reader.close(name),
    },
    { decodeEntities: true },
  )
  parser.end(html)
  return reader.finish()
}

/** Where text goes: into a paragraph, a list or a row of a table. */
class HtmlReader {
  readonly #builder = new DocumentBuilder()
  readonly #mainOnly: boolean
  #text = ''
  #depth = 0
  /** Open elements within one that is left out, and itself. */
  #skipped = 0
  #main = 0
  #pre = 0
  #title: string | undefined
  /** Whether each open list is ordered, and its items so far. */
  #lists: { readonly ordered: boolean; items: number }[] = []
  #tables = 0
  #rows: string[][] = []

  constructor(mainOnly: boolean) {
    this.#mainOnly = mainOnly
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#depth += 1
    if (this.#depth > DEEPEST)
      throw new Unreadable('the file is nested too deeply to be read; save it in a simpler form and send it again')
    if (this.#skipped > 0 || isNoise(name, attributes)) return void (this.#skipped += 1)
    if (name === 'title') return void (this.#title ??= '')
    if (this.#main > 0 || isMain(name, attributes)) this.#main += 1
    if (name === 'br') return this.#append('\n')
    if (name === 'img') return this.#append(attributes['alt'] ?? '')
    if (INLINE.has(name)) return
    if (name === 'ul' || name === 'ol') return this.#openList(name === 'ol')
    if (name === 'li' && this.#lists.length > 0) return this.#openItem()
    if (name === 'table') return this.#openTable()
    if (this.#tables === 1 && name === 'tr') return void this.#rows.push([])
    if (this.#tables === 1 && (name === 'td' || name === 'th')) return void (this.#text = '')
    this.#breakLine()
    if (name === 'pre') this.#pre += 1
  }

  text(text: string): void {
    if (this.#skipped > 0) return
    if (this.#title !== undefined && !this.#titleEnded) return void (this.#title += text)
    this.#append(this.#pre > 0 ? text : text.replaceAll(/\s+/g, ' '))
  }

  #titleEnded = false

  close(name: string): void {
    this.#depth -= 1
    if (this.#skipped > 0) return void (this.#skipped -= 1)
    if (name === 'title') return void (this.#titleEnded = true)
    if (!INLINE.has(name) && name !== 'br') this.#closeBlock(name)
    if (this.#main > 0) this.#main -= 1
  }

  finish(): ParsedDocument {
    this.#flush()
    this.#builder.title = this.#title
    return this.#builder.finish()
  }

  #closeBlock(name: string): void {
    if (name === 'ul' || name === 'ol') return this.#closeList()
    if (name === 'table') return this.#closeTable()
    if (this.#tables === 1 && (name === 'td' || name === 'th')) return this.#closeCell()
    if (this.#tables > 0 || this.#lists.length > 0) {
      if (name === 'pre') this.#pre = Math.max(0, this.#pre - 1)
      return this.#breakLine()
    }
    const level = /^h([1-6])$/.exec(name)?.[1]
    if (level !== undefined) this.#builder.heading(Number(level), this.#take())
    else if (name === 'pre') this.#closePre()
    else this.#flush()
  }

  #append(text: string): void {
    if (!this.#mainOnly || this.#main > 0) this.#text += text
  }

  /** Within a cell or an item, where no block of its own can begin. */
  #breakLine(): void {
    if (this.#tables > 0) this.#append('\n')
    else if (this.#lists.length > 0) this.#append(' ')
    else this.#flush()
  }

  #openList(ordered: boolean): void {
    if (this.#lists.length === 0) this.#breakLine()
    this.#lists.push({ ordered, items: 0 })
  }

  #openItem(): void {
    const list = this.#lists.at(-1)
    if (!list) return
    list.items += 1
    this.#append(`\n${'  '.repeat(Math.min(this.#lists.length - 1, 8))}${list.ordered ? `${list.items}.` : '-'} `)
  }

  #closeList(): void {
    this.#lists.pop()
    if (this.#lists.length === 0) this.#breakLine()
  }

  #openTable(): void {
    if (this.#tables === 0) this.#flush()
    this.#tables += 1
    if (this.#tables === 1) this.#rows = []
  }

  #closeCell(): void {
    const text = this.#take()
    if (this.#rows.length === 0) this.#rows.push([])
    this.#rows.at(-1)?.push(text)
  }

  /** A table of one column only lays the page out. */
  #closeTable(): void {
    this.#tables = Math.max(0, this.#tables - 1)
    if (this.#tables > 0) return
    this.#flush()
    const rows = this.#rows.filter((row) => row.some((cell) => cell !== ''))
    if (rows.some((row) => row.length > 1)) this.#builder.table(rows)
    else for (const [cell = ''] of rows) for (const part of cell.split(/\n\n+/)) this.#builder.add(part)
    this.#rows = []
  }

  #closePre(): void {
    this.#pre = Math.max(0, this.#pre - 1)
    const text = this.#text
    this.#text = ''
    this.#builder.add(text, { kind: 'code' })
  }

  #flush(): void {
    const text = this.#take()
    if (text !== '') this.#builder.add(text)
  }

  #take(): string {
    const lines = this.#text
      .split('\n')
      .map((line) => (/^ *(?:-|\d+\.) /.test(line) ? line.trimEnd() : line.replaceAll(/ {2,}/g, ' ').trim()))
    this.#text = ''
    return lines
      .join('\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim()
  }
}

const isNoise = (name: string, attributes: Readonly<Record<string, string>>): boolean =>
  NOISE.has(name) ||
  attributes['hidden'] !== undefined ||
  attributes['aria-hidden'] === 'true' ||
  NOISY_ROLES.has(attributes['role'] ?? '')

const isMain = (name: string, attributes: Readonly<Record<string, string>>): boolean =>
  name === 'main' || attributes['role'] === 'main'
