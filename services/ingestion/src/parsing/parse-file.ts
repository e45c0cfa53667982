import { AppError } from '@youworker/contracts/errors'
import type { ParsedDocument } from './parsed-document.ts'
import { parseInChild } from './parse-in-child.ts'
import { parseMarkdown } from './formats/parse-markdown.ts'
import { parseText } from './formats/parse-text.ts'

interface FileToParse {
  readonly bytes: Uint8Array
  readonly name: string
  /** One that `judgeFile` answered. */
  readonly mime: string
  readonly signal?: AbortSignal
}

/** Text of a file. Throws `VALIDATION_ERROR` with a reason that a person can act on. */
export async function parseFile({ bytes, mime, signal }: FileToParse): Promise<ParsedDocument> {
  const document = await parseAs(mime, bytes, signal)
  if (document.blocks.length === 0) throw new AppError('VALIDATION_ERROR', 'the file holds no text')
  return document
}

function parseAs(mime: string, bytes: Uint8Array, signal: AbortSignal | undefined): ParsedDocument | Promise<ParsedDocument> {
  if (mime === 'text/markdown') return parseMarkdown(decode(bytes))
  if (mime === 'text/plain') return parseText(decode(bytes))
  return parseInChild(mime, bytes, signal)
}

/** Without the byte order mark; NUL, which Postgres refuses in text, marks a file that is no text. */
function decode(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch {
    // Told below.
  }
  throw new AppError('VALIDATION_ERROR', 'the content is not UTF-8 text; save it as UTF-8 and send it again')
}
