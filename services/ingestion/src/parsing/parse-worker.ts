// Runs in a child process without network, files or environment: reads one file from standard input, writes its text as JSON.
import { buffer } from 'node:stream/consumers'
import type { ParsedDocument } from './parsed-document.ts'

export type WorkerAnswer = { readonly document: ParsedDocument } | { readonly error: string }

async function parse(mime: string, bytes: Uint8Array): Promise<ParsedDocument> {
  if (mime === 'application/pdf') return (await import('./parse-pdf.ts')).parsePdf(bytes)
  return (await import('./parse-html.ts')).parseHtml(new TextDecoder().decode(bytes))
}

const bytes = await buffer(process.stdin)
const answer: WorkerAnswer = await parse(process.argv[2] ?? '', new Uint8Array(bytes)).then(
  (document) => ({ document }),
  (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
)
process.stdout.write(JSON.stringify(answer))
