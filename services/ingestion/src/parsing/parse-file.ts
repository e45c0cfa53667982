import type { FileMime } from '@youworker/contracts/file-types'
import { Unreadable } from './unreadable.ts'
import type { ParsedDocument } from './parsed-document.ts'

type Parse = (bytes: Uint8Array) => ParsedDocument | Promise<ParsedDocument>

/** One for each type of file that is accepted. Each loads only what it needs, because each child starts anew. */
const PARSERS: Readonly<Record<FileMime, () => Promise<Parse>>> = {
  'application/pdf': async () => (await import('./formats/parse-pdf.ts')).parsePdf,
  'text/html': async () => {
    const { parseHtml } = await import('./formats/parse-html.ts')
    return (bytes) => parseHtml(new TextDecoder().decode(bytes))
  },
  'text/markdown': async () => {
    const { parseMarkdown } = await import('./formats/parse-markdown.ts')
    return (bytes) => parseMarkdown(decode(bytes))
  },
  'text/plain': async () => {
    const { parseText } = await import('./formats/parse-text.ts')
    return (bytes) => parseText(decode(bytes))
  },
}

/** Reads a file whose `mime` `detectFileType` returned. Runs in the confined child; the reader throws `Unreadable`. */
export async function loadParser(mime: FileMime): Promise<Parse> {
  const parse = await PARSERS[mime]()
  return async (bytes) => {
    const document = await parse(bytes)
    if (document.blocks.length === 0) throw new Unreadable('the file holds no text')
    return document
  }
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
