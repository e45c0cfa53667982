import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { parseEpub } from './parse-epub.ts'
import { parseOpenDocument } from './parse-open-document.ts'
import { parseSheets } from './parse-sheets.ts'
import { parseSlides } from './parse-slides.ts'
import { parseWord } from './parse-word.ts'
import { ZipFile } from './zip-file.ts'

/** What programs add that nobody wants to find. */
const NOISE = /(?:^|\/)(?:__MACOSX\/|\.DS_Store$|Thumbs\.db$|\.git\/)/

/** Formats that are archives themselves, by an entry that they have. */
const DOCUMENTS = {
  'word/document.xml': parseWord,
  'xl/workbook.xml': parseSheets,
  'ppt/presentation.xml': parseSlides,
  'META-INF/container.xml': parseEpub,
  'content.xml': parseOpenDocument,
} as const

/** Each entry below its path. An Office document without an ending that says so is read as what it is. */
export async function parseZip(file: FileContent, scope: ReadingScope): Promise<ParsedDocument> {
  const zip = new ZipFile(file.bytes, scope)
  const [document] = Object.entries(DOCUMENTS).flatMap(([entry, parse]) => (zip.has(entry) ? [parse] : []))
  if (document && (zip.has('[Content_Types].xml') || zip.has('mimetype'))) return document(file, scope)
  const builder = new DocumentBuilder()
  for (const name of zip.names) {
    if (NOISE.test(name)) continue
    const bytes = zip.bytes(name)
    if (bytes) await scope.add(builder, { name, bytes })
  }
  return scope.finish(builder)
}
