import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { recognizeText } from './recognize-text.ts'
import { tiffPages, withFirst } from './tiff-pages.ts'

/** The text that a picture shows, of a scan in TIFF page after page. */
export async function parseImage({ bytes, mime }: FileContent, scope: ReadingScope): Promise<ParsedDocument> {
  const builder = new DocumentBuilder()
  const pages = mime === 'image/tiff' ? tiffPages(bytes) : []
  if (pages.length < 2) await addPicture(builder, bytes, scope)
  for (const [at, page] of pages.entries()) {
    if (pages.length < 2 || !scope.mayRecognize(`page ${at + 1}`)) break
    await addPicture(builder, withFirst(bytes, page), scope, at + 1)
  }
  return scope.finish(builder)
}

async function addPicture(builder: DocumentBuilder, bytes: Uint8Array, scope: ReadingScope, page?: number): Promise<void> {
  for (const paragraph of await recognizeText(bytes, scope.languages)) builder.add(paragraph, { page })
  scope.stepDone()
}
