// Runs in a child process without network, files or environment: reads one file from standard input, writes its text as JSON.
import { buffer } from 'node:stream/consumers'
import type { FileMime } from '@youworker/contracts/file-types'
import { parseFile } from './parse-file.ts'
import type { ParsedBlock, ParsedDocument } from './parsed-document.ts'
import { Unreadable } from './unreadable.ts'

/** The blocks come without their texts, which are slices of the document's. */
interface SentDocument extends Omit<ParsedDocument, 'blocks'> {
  readonly blocks: readonly Omit<ParsedBlock, 'text'>[]
}

export type WorkerAnswer = { readonly document: SentDocument } | { readonly error: string }

/** The message of a parser's own error does not help the user who sent the file. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (error instanceof RangeError) return 'the file is nested too deeply to be read; save it in a simpler form and send it again'
  return 'the file is damaged and cannot be read; export it again'
}

const bytes = await buffer(process.stdin)
// `parseInChild` passes the type.
const answer: WorkerAnswer = await parseFile(process.argv[2] as FileMime, new Uint8Array(bytes)).then(
  (document) => ({ document: { ...document, blocks: document.blocks.map(({ text: _text, ...block }) => block) } }),
  (error: unknown) => ({ error: reasonOf(error) }),
)
process.stdout.write(JSON.stringify(answer))
