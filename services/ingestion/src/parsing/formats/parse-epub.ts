import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { parseHtml } from './parse-html.ts'
import { readXml, resolve } from './xml-events.ts'
import { ZipFile } from './zip-file.ts'

interface Package {
  title: string
  readonly items: Map<string, { readonly href: string; readonly type: string }>
  readonly spine: string[]
}

/** The chapters of a book in reading order (EPUB 2 and 3). */
export function parseEpub({ bytes }: FileContent, scope: ReadingScope): ParsedDocument {
  const zip = new ZipFile(bytes, scope)
  const path = packagePath(zip.text('META-INF/container.xml') ?? '')
  const xml = path === undefined ? undefined : zip.text(path)
  if (path === undefined || xml === undefined) {
    throw new Unreadable('the name says EPUB, but the content is not such a book; send it as what it is')
  }
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
  const { title, items, spine } = readPackage(xml)
  const builder = new DocumentBuilder()
  builder.title = title
  for (const id of spine) {
    const item = items.get(id)
    const chapter = item && /html|xml/.test(item.type) ? zip.text(resolve(folder, decoded(item.href))) : undefined
    if (chapter !== undefined) addChapter(builder, chapter)
  }
  if (builder.isEmpty && zip.has('META-INF/encryption.xml')) {
    throw new Unreadable('it is protected against copying, so that its text cannot be read')
  }
  return scope.finish(builder)
}

/** A chapter without headings of its own is named by the title of its page. */
function addChapter(builder: DocumentBuilder, html: string): void {
  const document = parseHtml(html)
  const hasHeadings = document.blocks.some(({ title_path }) => title_path.length > 0)
  if (document.blocks.length > 0) builder.append(document, hasHeadings || !document.title ? [] : [document.title])
}

function packagePath(xml: string): string | undefined {
  let path: string | undefined
  readXml(xml, {
    open: (name, attributes) => {
      if (name.endsWith('rootfile')) path ??= attributes['full-path']
    },
  })
  return path
}

function readPackage(xml: string): Package {
  const book: Package = { title: '', items: new Map(), spine: [] }
  readXml(xml, {
    open: (name, { id = '', href = '', idref = '', 'media-type': type = '' }) => {
      if (/(?:^|:)item$/.test(name)) book.items.set(id, { href, type })
      if (/(?:^|:)itemref$/.test(name)) book.spine.push(idref)
    },
    text: (text, parent) => {
      if (parent === 'dc:title') book.title += text
    },
    close: (name) => {
      if (name === 'dc:title' && book.title !== '') book.title += ' '
    },
  })
  return book
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href.split('#', 1)[0] ?? '')
  } catch {
    return href
  }
}
