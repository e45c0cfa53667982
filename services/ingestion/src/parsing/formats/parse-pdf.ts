import { cutText } from '@youworker/runtime/text/text'
import { extractImages, getDocumentProxy, getMeta } from 'unpdf'
import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import { PARSING } from '../parsing-parameters.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { Unreadable } from '../unreadable.ts'
import { type Pdf, readBookmarks } from './pdf-bookmarks.ts'
import { blocksOf, type PageBlock } from './pdf-blocks.ts'
import { portableMap } from './portable-map.ts'

/** A smaller picture of a page is a logo. Pixels. */
const LEAST_SIDE = 100

/** Page after page: paragraphs and tables of the text layer, under the bookmarks; of a page that is a picture, the text in it. */
export async function parsePdf({ bytes }: FileContent, scope: ReadingScope): Promise<ParsedDocument> {
  const pdf = await open(bytes)
  const builder = new DocumentBuilder()
  const meta = await getMeta(pdf).catch(() => undefined)
  const title: unknown = meta?.info['Title']
  builder.title = typeof title === 'string' ? sensibleTitle(title) : undefined
  const bookmarks = await readBookmarks(pdf)
  for (let number = 1; number <= pdf.numPages; number += 1) {
    bookmarks.enter(builder, number)
    const blocks = await textOf(pdf, number)
    for (const block of blocks.length > 0 ? blocks : await scanned(pdf, number, scope)) addBlock(builder, block, number)
    bookmarks.leave(builder, number)
  }
  const document = scope.finish(builder)
  if (document.blocks.length === 0) throw new Unreadable('the PDF holds no text, and no picture in which text was recognised')
  return document
}

async function open(bytes: Uint8Array): Promise<Pdf> {
  try {
    return await getDocumentProxy(bytes)
  } catch (cause) {
    const isLocked = cause instanceof Error && cause.name === 'PasswordException'
    throw new Unreadable(
      isLocked
        ? 'the PDF is protected by a password; remove the protection and send it again'
        : 'the PDF is damaged and cannot be read; export it again',
      { cause },
    )
  }
}

async function textOf(pdf: Pdf, number: number): Promise<PageBlock[]> {
  const page = await pdf.getPage(number)
  const { items } = await page.getTextContent()
  page.cleanup()
  return blocksOf(items.flatMap((item) => ('str' in item ? [item] : [])))
}

/** The text in the pictures of a page without a text layer. */
async function scanned(pdf: Pdf, number: number, scope: ReadingScope): Promise<PageBlock[]> {
  const pictures = await extractImages(pdf, number).catch(() => [])
  const large = pictures.filter(({ width, height }) => width >= LEAST_SIDE && height >= LEAST_SIDE)
  if (large.length === 0 || !scope.mayRecognize(`page ${number}`)) return []
  const { recognizeText } = await import('./recognize-text.ts')
  const paragraphs: string[] = []
  for (const { data, width, height, channels } of large) {
    paragraphs.push(...(await recognizeText(portableMap(data, { width, height, channels }), scope.languages)))
    scope.stepDone()
  }
  return paragraphs.map((text) => ({ kind: 'prose', text }))
}

function addBlock(builder: DocumentBuilder, block: PageBlock, page: number): void {
  if (block.kind === 'table') builder.table(block.rows, { page })
  else builder.add(tidy(block.text), { page })
}

/** Joins words that are hyphenated at a line's end; removes NUL and repeated blanks. */
const tidy = (text: string): string =>
  text
    .replaceAll('\u0000', '')
    .replaceAll(/(\p{Ll})[-\u00ad]\n(\p{Ll})/gu, '$1$2')
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/ ?\n ?/g, '\n')
    .trim()

/** Drops what word processors write by default, such as `Microsoft Word - x.doc` and `untitled`. */
function sensibleTitle(title: string): string | undefined {
  const tidied = title.replaceAll(/\s+/g, ' ').trim()
  return /^$|^untitled|^microsoft word - |\.(docx?|pdf|tex|odt|indd)$/i.test(tidied)
    ? undefined
    : cutText(tidied, PARSING.maxTitle)
}
