import { cutText } from '@youworker/runtime/text/text'
import { extractText, getDocumentProxy, getMeta } from 'unpdf'
import type { ParsedBlock, ParsedDocument } from '../parsed-document.ts'
import type { FileContent } from '../reading-scope.ts'
import { PARSING } from '../parsing-parameters.ts'
import { Unreadable } from '../unreadable.ts'

/** The text of each page. */
export async function parsePdf({ bytes }: FileContent): Promise<ParsedDocument> {
  const pdf = await getDocumentProxy(bytes).catch((error: unknown) => {
    throw new Unreadable(
      error instanceof Error && error.name === 'PasswordException'
        ? 'the PDF is protected by a password; remove the protection and send it again'
        : 'the PDF is damaged and cannot be read; export it again',
      { cause: error },
    )
  })
  const [{ text: pages }, meta] = await Promise.all([
    extractText(pdf, { mergePages: false }),
    getMeta(pdf).catch(() => undefined),
  ])
  const title: unknown = meta?.info['Title']
  return assemble(pages.map(tidy), typeof title === 'string' ? sensibleTitle(title) : undefined)
}

function assemble(pages: readonly string[], title: string | undefined): ParsedDocument {
  const blocks: ParsedBlock[] = []
  let text = ''
  for (const [index, page] of pages.entries()) {
    if (page === '') continue
    if (text !== '') text += '\n\n'
    const start = text.length
    text += page
    blocks.push({ text: page, start, end: text.length, page: index + 1, title_path: [] })
  }
  if (blocks.length === 0)
    throw new Unreadable('the PDF holds no text, perhaps it is a scan; run it through OCR and send it again')
  return { title, text, blocks }
}

/** Joins words that are hyphenated at a line's end; removes NUL and repeated blanks. */
const tidy = (page: string): string =>
  page
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
