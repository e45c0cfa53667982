// Runs in a child process without network, files or environment: reads one file from standard input, writes its text as JSON.
import { buffer } from 'node:stream/consumers'
import type { ParsedDocument } from './parsed-document.ts'
import { Unreadable } from './unreadable.ts'

export type WorkerAnswer = { readonly document: ParsedDocument } | { readonly error: string }

async function parse(mime: string, bytes: Uint8Array): Promise<ParsedDocument> {
  if (mime === 'application/pdf') return (await import('./formats/parse-pdf.ts')).parsePdf(bytes)
  return (await import('./formats/parse-html.ts')).parseHtml(new TextDecoder().decode(bytes))
}

/** A parser's own words mean nothing to whoever sent the file. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (error instanceof RangeError) return 'the file is nested too deeply to be read; save it in a simpler form and send it again'
  return 'the file is damaged and cannot be read; export it again'
}

const bytes = await buffer(process.stdin)
const answer: WorkerAnswer = await parse(process.argv[2] ?? '', new Uint8Array(bytes)).then(
  (document) => ({ document }),
  (error: unknown) => ({ error: reasonOf(error) }),
)
process.stdout.write(JSON.stringify(answer))
