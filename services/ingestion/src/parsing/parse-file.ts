import { Unreadable } from './unreadable.ts'
import type { ParsedDocument } from './parsed-document.ts'

/** The text of a file whose `mime` `detectFileType` returned. Runs in the confined child; throws `Unreadable`. */
export async function parseFile(mime: string, bytes: Uint8Array): Promise<ParsedDocument> {
  const document = await parseAs(mime, bytes)
  if (document.blocks.length === 0) throw new Unreadable('the file holds no text')
  return document
}

/** Loads only the parser that the file needs: each child starts anew. */
async function parseAs(mime: string, bytes: Uint8Array): Promise<ParsedDocument> {
  if (mime === 'application/pdf') return (await import('./formats/parse-pdf.ts')).parsePdf(bytes)
  if (mime === 'text/html') return (await import('./formats/parse-html.ts')).parseHtml(new TextDecoder().decode(bytes))
  if (mime === 'text/markdown') return (await import('./formats/parse-markdown.ts')).parseMarkdown(decode(bytes))
  return (await import('./formats/parse-text.ts')).parseText(decode(bytes))
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
