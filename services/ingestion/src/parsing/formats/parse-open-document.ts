import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { TextFlow } from './text-flow.ts'
import { type Attributes, readXml, titleIn } from './xml-events.ts'
import { ZipFile } from './zip-file.ts'

/** What is not shown as text of the document. */
const SKIPPED = new Set([
  'text:tracked-changes',
  'office:annotation',
  'text:sequence-decls',
  'office:forms',
  'text:alphabetical-index',
  'text:table-of-content',
])
/** Spreadsheets say that a cell or a row goes on to the end of the sheet; with a text no more of them are taken. */
const MOST_REPEATED = 100

/** Texts, spreadsheets and presentations of OpenDocument (ISO/IEC 26300): LibreOffice, Google, Word. */
export function parseOpenDocument({ bytes }: FileContent, scope: ReadingScope): ParsedDocument {
  const zip = new ZipFile(bytes, scope)
  if (/<manifest:encryption-data/.test(zip.text('META-INF/manifest.xml') ?? '')) {
    throw new Unreadable('it is protected by a password; remove the protection and send it again')
  }
  const xml = zip.text('content.xml')
  if (xml === undefined || !xml.includes('office:document-content')) {
    throw new Unreadable('the name says OpenDocument, but the content is not such a document; send it as what it is')
  }
  const builder = new DocumentBuilder()
  builder.title = titleIn(zip.text('meta.xml'))
  const reader = new OpenDocumentReader(builder)
  readXml(xml, {
    open: (name, attributes, parent) => reader.open(name, attributes, parent),
    text: (text) => reader.text(text),
    close: (name) => reader.close(name),
  })
  reader.finish()
  return scope.finish(builder)
}

class OpenDocumentReader {
  readonly #builder: DocumentBuilder
  #flow: TextFlow
  #skipped = 0
  #paragraphs = 0
  #lists = 0
  #page = 0
  #repeated = 1

  constructor(builder: DocumentBuilder) {
    this.#builder = builder
    this.#flow = new TextFlow(builder)
  }

  open(name: string, attributes: Attributes, parent: string | undefined): void {
    if (this.#skipped > 0 || SKIPPED.has(name)) return void (this.#skipped += 1)
    if (name === 'draw:page') this.#openPage(attributes)
    else if (name === 'text:h' || name === 'text:p') this.#openParagraph(name, attributes)
    else if (name === 'text:list') this.#lists += 1
    else if (name === 'text:s') this.text(' '.repeat(Math.min(100, Number(attributes['text:c'] ?? 1))))
    else if (name === 'text:tab') this.text('\t')
    else if (name === 'text:line-break') this.text('\n')
    else if (name === 'table:table') this.#openTable(attributes, parent)
    else if (name === 'table:table-row') this.#flow.openRow()
    else if (name === 'table:table-cell' || name === 'table:covered-table-cell') {
      this.#repeated = Number(attributes['table:number-columns-repeated'] ?? 1)
      this.#flow.openCell()
    }
  }

  text(text: string): void {
    if (this.#skipped === 0 && this.#paragraphs > 0) this.#flow.append(text)
  }

  close(name: string): void {
    if (this.#skipped > 0) return void (this.#skipped -= 1)
    if (name === 'text:h' || name === 'text:p') {
      this.#paragraphs -= 1
      this.#flow.closeParagraph()
    } else if (name === 'text:list') this.#lists -= 1
    else if (name === 'table:table') this.#flow.closeTable()
    else if (name === 'table:table-cell' || name === 'table:covered-table-cell') {
      this.#flow.closeCell(Math.min(MOST_REPEATED, Math.max(1, this.#repeated)))
      this.#repeated = 1
    }
  }

  finish(): void {
    this.#flow.finish()
  }

  #openPage(attributes: Attributes): void {
    this.#flow.finish()
    this.#page += 1
    this.#flow = new TextFlow(this.#builder, this.#page)
    this.#builder.heading(1, attributes['draw:name'] ?? `Slide ${this.#page}`, { page: this.#page })
  }

  #openParagraph(name: string, attributes: Attributes): void {
    this.#paragraphs += 1
    this.#flow.openParagraph()
    if (name === 'text:h') this.#flow.setHeading(Number(attributes['text:outline-level'] ?? 1))
    else if (this.#lists > 0 && this.#page === 0) this.#flow.setItem(this.#lists - 1)
  }

  #openTable(attributes: Attributes, parent: string | undefined): void {
    if (parent === 'office:spreadsheet') {
      this.#flow.finish()
      this.#builder.heading(1, attributes['table:name'] ?? '')
    }
    this.#flow.openTable()
  }
}
