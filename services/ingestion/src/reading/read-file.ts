import type { FileMime } from '@youworker/contracts/file-types'
import { type Chunk, chunkDocument, type ChunkSize } from '../chunking/chunk-document.ts'
import { loadParser } from '../parsing/parse-file.ts'
import type { ReadingOptions } from '../parsing/reading-scope.ts'
import { Unreadable } from '../parsing/unreadable.ts'
import { segmentsOf } from './segments.ts'

/** Lines of the answer: the title, then chunks, then how it ended. `error` is a fault of the file, `fault` one of this installation. */
export type AnswerLine =
  /** `sample`: of the text's beginning, middle and end, to tell its language by. */
  | { readonly title: string | null; readonly sample: string }
  | { readonly chunk: Chunk }
  /** A page was recognised: there may be more time for the next one. */
  | { readonly step: true }
  | { readonly end: true }
  | { readonly error: string }
  | { readonly fault: string }

interface HowToRead extends ReadingOptions {
  readonly mime: FileMime
  readonly chunks: ChunkSize
}

/** As long as those that a language is told by. In UTF-16 units. */
const SAMPLE = 800

/** The message of a parser's own error does not help the user who sent the file. */
export function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (error instanceof RangeError) return 'the file is nested too deeply to be read; save it in a simpler form and send it again'
  return 'the file is damaged and cannot be read; export it again'
}

function sampleOf(text: string): string {
  if (text.length <= 3 * SAMPLE) return text
  const middle = Math.floor(text.length / 2) - SAMPLE / 2
  return text.slice(0, SAMPLE) + text.slice(middle, middle + SAMPLE) + text.slice(-SAMPLE)
}

/** Reads a file in the confined child. */
export async function* answersFor({ mime, chunks: size, ...options }: HowToRead, bytes: Uint8Array): AsyncGenerator<AnswerLine> {
  let parse: Awaited<ReturnType<typeof loadParser>>
  try {
    parse = await loadParser(mime)
  } catch (error) {
    return yield { fault: String(error) }
  }
  try {
    let [index, offset, hasTitle] = [0, 0, false]
    for (const segment of segmentsOf(mime, bytes)) {
      const document = await parse(segment, options)
      if (!hasTitle) yield { title: document.title ?? null, sample: sampleOf(document.text) }
      hasTitle = true
      for (const chunk of chunkDocument(document, size)) {
        yield { chunk: { ...chunk, index, start: chunk.start + offset, end: chunk.end + offset } }
        index += 1
      }
      offset += document.text.length
    }
    yield { end: true }
  } catch (error) {
    yield { error: reasonOf(error) }
  }
}
