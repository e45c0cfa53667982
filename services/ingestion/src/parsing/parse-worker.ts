// Runs in a child process without network, files or environment: reads one file from standard input, writes its text as JSON.
import { buffer } from 'node:stream/consumers'
import type { FileMime } from '@youworker/contracts/file-types'
import { loadParser } from './parse-file.ts'
import type { ParsedBlock, ParsedDocument } from './parsed-document.ts'
import { Unreadable } from './unreadable.ts'

/** The blocks come without their texts, which are slices of the document's. */
interface SentDocument extends Omit<ParsedDocument, 'blocks'> {
  readonly blocks: readonly Omit<ParsedBlock, 'text'>[]
}

/** `error` is a fault of the file, `fault` one of this installation. */
export type WorkerAnswer = { readonly document: SentDocument } | { readonly error: string } | { readonly fault: string }

/** The message of a parser's own error does not help the user who sent the file. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (error instanceof RangeError) return 'the file is nested too deeply to be read; save it in a simpler form and send it again'
  return 'the file is damaged and cannot be read; export it again'
}

async function answer(bytes: Uint8Array): Promise<WorkerAnswer> {
  let parse: Awaited<ReturnType<typeof loadParser>>
  try {
    // `parseInChild` passes the type.
    parse = await loadParser(process.argv[2] as FileMime)
  } catch (error) {
    return { fault: String(error) }
  }
  try {
    const document = await parse(bytes)
    return { document: { ...document, blocks: document.blocks.map(({ text: _text, ...block }) => block) } }
  } catch (error) {
    return { error: reasonOf(error) }
  }
}

process.stdout.write(JSON.stringify(await answer(new Uint8Array(await buffer(process.stdin)))))
