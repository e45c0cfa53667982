import { Parser } from 'htmlparser2'
import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import { Unreadable } from '../unreadable.ts'

/** Elements at this depth below the root are records: each is kept whole as far as it fits. */
const RECORD = 2
/** A block is closed at the next element once it is longer. UTF-16 units. */
const WHOLE = 1_200
const DEEPEST = 200
const TITLES = new Set(['title', 'name'])

interface Element {
  readonly name: string
  readonly attributes: string
  text: string
  hasChildren: boolean
  /** Stands within the text of the element around it. */
  readonly inline: boolean
}

/** One line for each element that has a text, by its name. Entities of the file's own are left as they stand: none is expanded. */
export function parseXml(xml: string): ParsedDocument {
  const reader = new XmlReader()
  const parser = new Parser(
    {
      onopentag: (name, attributes) => reader.open(name, attributes),
      ontext: (text) => reader.text(text),
      onclosetag: () => reader.close(),
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.end(xml)
  return reader.finish()
}

class XmlReader {
  readonly #builder = new DocumentBuilder()
  readonly #open: Element[] = []
  #lines: string[] = []
  #length = 0
  #title: string | undefined

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (this.#open.length > DEEPEST) throw new Unreadable('the XML is nested too deeply to be read; save it in a simpler form')
    const around = this.#open.at(-1)
    const inline = around !== undefined && (around.inline || around.text.trim() !== '')
    if (around && !inline && !around.hasChildren) {
      around.hasChildren = true
      if (around.attributes !== '') this.#line(around, this.#open.length - 1, '')
    }
    const shown = Object.entries(attributes).filter(([key]) => !key.startsWith('xmlns'))
    this.#open.push({
      name,
      attributes: shown.map(([key, value]) => `${key}=${value}`).join(' '),
      text: '',
      hasChildren: false,
      inline,
    })
  }

  text(text: string): void {
    const element = this.#open.at(-1)
    if (element) element.text += text
  }

  close(): void {
    const element = this.#open.pop()
    if (!element) return
    const around = this.#open.at(-1)
    if (element.inline && around) return void (around.text += element.text)
    const text = element.text.replaceAll(/\s+/g, ' ').trim()
    if (text !== '' || (!element.hasChildren && element.attributes !== '')) this.#line(element, this.#open.length, text)
    if (TITLES.has(element.name.toLowerCase()) && this.#open.length <= RECORD) this.#title ??= text
    if (this.#open.length < RECORD || this.#length > WHOLE) this.#flush()
    else if (this.#open.length === RECORD - 1) this.#flush()
  }

  finish(): ParsedDocument {
    this.#flush()
    this.#builder.title = this.#title
    return this.#builder.finish()
  }

  #line({ name, attributes, hasChildren }: Element, depth: number, text: string): void {
    const shown = hasChildren ? '' : attributes
    const head = [name, ...(shown === '' && text !== '' ? [] : [attributes])].filter((part) => part !== '').join(' ')
    const line = `${' '.repeat(Math.max(0, depth - 1))}${head}${text === '' ? '' : `: ${text}`}`
    this.#lines.push(line)
    this.#length += line.length
  }

  #flush(): void {
    this.#builder.add(this.#lines.join('\n'))
    this.#lines = []
    this.#length = 0
  }
}
