import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { TextFlow } from './text-flow.ts'
import { type Attributes, readXml, titleIn } from './xml-events.ts'
import { ZipFile } from './zip-file.ts'

const MAIN = 'word/document.xml'
/** Below the text, as Word shows them. */
const NOTES = ['word/footnotes.xml', 'word/endnotes.xml', 'word/comments.xml']
/** Kept for programs that do not know what stands before them. */
const SKIPPED = new Set(['mc:Fallback', 'w:del', 'w:moveFrom', 'w:instrText', 'w:delText'])
const SIGNS: Readonly<Record<string, string>> = { 'w:tab': '\t', 'w:br': '\n', 'w:cr': '\n', 'w:noBreakHyphen': '-' }

/** Headings, paragraphs, lists and tables of a Word document (ECMA-376 part 1, section 17), then its notes and comments. */
export function parseWord({ bytes }: FileContent, scope: ReadingScope): ParsedDocument {
  const zip = new ZipFile(bytes, scope)
  const xml = zip.text(MAIN)
  if (xml === undefined) throw new Unreadable('the name says Word, but the content is not a Word document; send it as what it is')
  const builder = new DocumentBuilder()
  builder.title = titleIn(zip.text('docProps/core.xml'))
  const levels = readLevels(zip.text('word/styles.xml') ?? '')
  readText(xml, builder, levels)
  for (const part of NOTES) {
    const notes = zip.text(part)
    if (notes !== undefined) readText(notes, builder, new Map())
  }
  return scope.finish(builder)
}

interface Style {
  level?: number | undefined
  basedOn?: string | undefined
}

/** The depth of a heading by style: by the style's own name or level, or by those of the style that it is based on. */
function readLevels(xml: string): Map<string, number> {
  const styles = new Map<string, Style>()
  let style: Style = {}
  readXml(xml, {
    open: (name, attributes) => {
      const value = attributes['w:val'] ?? ''
      if (name === 'w:style') styles.set(attributes['w:styleId'] ?? '', (style = {}))
      else if (name === 'w:basedOn') style.basedOn = value
      else if (name === 'w:name') style.level ??= levelOfName(value)
      else if (name === 'w:outlineLvl' && Number(value) < 9) style.level ??= Number(value) + 1
    },
  })
  const levels = new Map<string, number>()
  for (const id of styles.keys()) {
    let [at, steps] = [styles.get(id), 0]
    while (at && at.level === undefined && at.basedOn !== undefined && steps < 20) {
      at = styles.get(at.basedOn)
      steps += 1
    }
    if (at?.level !== undefined) levels.set(id, at.level)
  }
  return levels
}

function levelOfName(name: string): number | undefined {
  if (/^title$/i.test(name)) return 1
  const level = /^heading (\d)$/i.exec(name)?.[1]
  return level === undefined ? undefined : Number(level)
}

function readText(xml: string, builder: DocumentBuilder, levels: ReadonlyMap<string, number>): void {
  const flow = new TextFlow(builder)
  let skipped = 0
  const open = (name: string, attributes: Attributes, parent: string | undefined) => {
    const value = attributes['w:val'] ?? ''
    if (skipped > 0 || SKIPPED.has(name)) skipped += 1
    else if (name === 'w:p') flow.openParagraph()
    else if (name === 'w:pStyle') flow.setHeading(levels.get(value))
    else if (name === 'w:outlineLvl' && Number(value) < 9) flow.setHeading(Number(value) + 1)
    else if (name === 'w:numPr') flow.setItem(0)
    else if (name === 'w:ilvl') flow.setItem(Number(value))
    else if (name === 'w:tbl') flow.openTable()
    else if (name === 'w:tr') flow.openRow()
    else if (name === 'w:tc') flow.openCell()
    else if (parent === 'w:r') flow.append(SIGNS[name] ?? '')
  }
  readXml(xml, {
    open,
    text: (text, parent) => {
      if (skipped === 0 && (parent === 'w:t' || parent === 'm:t')) flow.append(text)
    },
    close: (name) => {
      if (skipped > 0) skipped -= 1
      else if (name === 'w:p') flow.closeParagraph()
      else if (name === 'w:tc') flow.closeCell()
      else if (name === 'w:tbl') flow.closeTable()
    },
  })
  flow.finish()
}
