import type { FileMime } from '@youworker/contracts/file-types'
import { Unreadable } from './unreadable.ts'
import type { ParsedDocument } from './parsed-document.ts'

type Parse = (bytes: Uint8Array) => Promise<ParsedDocument>

/** One for each type of file that is accepted. Each loads only what it needs, because each child starts anew. */
const PARSERS: Readonly<Record<FileMime, Parse>> = {
  'application/pdf': async (bytes) => (await import('./formats/parse-pdf.ts')).parsePdf(bytes),
  'text/html': async (bytes) => (await import('./formats/parse-html.ts')).parseHtml(new TextDecoder().decode(bytes)),
  'text/markdown': async (bytes) => (await import('./formats/parse-markdown.ts')).parseMarkdown(decode(bytes)),
  'text/plain': async (bytes) => (await import('./formats/parse-text.ts')).parseText(decode(bytes)),
}

/** The text of a file whose `mime` `detectFileType` returned. Runs in the confined child; throws `Unreadable`. */
export async function parseFile(mime: FileMime, bytes: Uint8Array): Promise<ParsedDocument> {
  const document = await PARSERS[mime](bytes)
  if (document.blocks.length === 0) throw new Unreadable('the file holds no text')
  return document
}

/** Drops the byte order mark. Refuses NUL, which no text file holds and Postgres does not store. */
function decode(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch {
    // The error below names both reasons.
  }
  throw new Unreadable('the content is not UTF-8 text; save it as UTF-8 and send it again')
}
