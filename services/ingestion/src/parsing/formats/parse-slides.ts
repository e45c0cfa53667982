import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { TextFlow } from './text-flow.ts'
import { readRelations, readXml, titleIn } from './xml-events.ts'
import { ZipFile } from './zip-file.ts'

const SHOW = 'ppt/presentation.xml'
const TITLES = new Set(['title', 'ctrTitle'])
/** What every slide of a show repeats. */
const REPEATED = new Set(['sldNum', 'dt', 'ftr', 'hdr', 'sldImg'])

/** Slide after slide, each with its number as the page, its title and the speaker's notes (ECMA-376 part 1, section 19). */
export function parseSlides({ bytes }: FileContent, scope: ReadingScope): ParsedDocument {
  const zip = new ZipFile(bytes, scope)
  const xml = zip.text(SHOW)
  if (xml === undefined) {
    throw new Unreadable('the name says PowerPoint, but the content is not a presentation; send it as what it is')
  }
  const paths = new Map(readRelations(zip.text('ppt/_rels/presentation.xml.rels'), 'ppt').map(({ id, target }) => [id, target]))
  const builder = new DocumentBuilder()
  builder.title = titleIn(zip.text('docProps/core.xml'))
  let page = 0
  readXml(xml, {
    open: (name, attributes) => {
      if (name !== 'p:sldId') return
      page += 1
      addSlide(builder, zip, paths.get(attributes['r:id'] ?? '') ?? '', page)
    },
  })
  return scope.finish(builder)
}

function addSlide(builder: DocumentBuilder, zip: ZipFile, path: string, page: number): void {
  const slide = zip.text(path)
  if (slide === undefined) return
  const [, folder = '', file = ''] = /^(.*)\/([^/]+)$/.exec(path) ?? []
  const related = readRelations(zip.text(`${folder}/_rels/${file}.rels`), folder)
  const notes = zip.text(related.find(({ type }) => type === 'notesSlide')?.target ?? '')
  builder.heading(1, titleOf(slide) || `Slide ${page}`, { page })
  readShapes(slide, builder, page)
  if (notes !== undefined) readShapes(notes, builder, page)
}

function titleOf(slide: string): string {
  let title = ''
  let inTitle = false
  readXml(slide, {
    open: (name, { type = '' }) => {
      if (name === 'p:ph') inTitle = TITLES.has(type)
    },
    text: (text, parent) => {
      if (inTitle && parent === 'a:t') title += text
    },
    close: (name) => {
      if (name === 'a:p' && inTitle) title += ' '
      if (name === 'p:sp') inTitle = false
    },
  })
  return title.trim()
}

function readShapes(xml: string, builder: DocumentBuilder, page: number): void {
  const flow = new TextFlow(builder, page)
  let skipped = false
  readXml(xml, {
    open: (name, { type = '', lvl }) => {
      if (name === 'p:ph') skipped = TITLES.has(type) || REPEATED.has(type)
      else if (skipped) return
      else if (name === 'a:p') flow.openParagraph()
      else if (name === 'a:pPr' && lvl !== undefined) flow.setItem(Number(lvl))
      else if (name === 'a:buChar' || name === 'a:buAutoNum') flow.setItem(0)
      else if (name === 'a:br') flow.append('\n')
      else if (name === 'a:tbl') flow.openTable()
      else if (name === 'a:tr') flow.openRow()
      else if (name === 'a:tc') flow.openCell()
    },
    text: (text, parent) => {
      if (!skipped && parent === 'a:t') flow.append(text)
    },
    close: (name) => {
      if (name === 'p:sp') skipped = false
      else if (skipped) return
      else if (name === 'a:p') flow.closeParagraph()
      else if (name === 'a:tc') flow.closeCell()
      else if (name === 'a:tbl') flow.closeTable()
    },
  })
  flow.finish()
}
