import type { FileMime } from '@youworker/contracts/file-types'
import { documentLanguage, languageOf } from '../analysis/language.ts'
import { type Chunk, chunkDocument, type ChunkSize } from '../chunking/chunk-document.ts'
import { loadParser } from '../parsing/parse-file.ts'
import type { ReadingOptions } from '../parsing/reading-scope.ts'
import { Unreadable } from '../parsing/unreadable.ts'
import { segmentsOf } from './segments.ts'

/** `language`: by ISO 639-1, or `und`. */
export interface SpokenChunk extends Chunk {
  readonly language: string
}

/** Lines of the answer: the title, then chunks, then how it ended. `error` is a fault of the file, `fault` one of this installation. */
export type AnswerLine =
  | { readonly title: string | null }
  | { readonly chunk: SpokenChunk }
  /** PNG in base64; missing behind the last page. */
  | { readonly pages: number; readonly picture?: string }
  /** A page was recognised: there may be more time for the next one. */
  | { readonly step: true }
  | { readonly end: true }
  | { readonly error: string }
  | { readonly fault: string }

interface HowToRead extends ReadingOptions {
  readonly mime: FileMime
  readonly chunks: ChunkSize
  /** Only this page, as a picture. */
  readonly page?: number
}

interface WantedPage extends Pick<ReadingOptions, 'languages'> {
  readonly mime: FileMime
  readonly page: number
}

async function* pictureOf({ mime, page, languages }: WantedPage, bytes: Uint8Array): AsyncGenerator<AnswerLine> {
  try {
    const { drawPage } = await import('./draw-page.ts')
    yield await drawPage(mime, bytes, page, languages)
    yield { end: true }
  } catch (error) {
    yield { error: reasonOf(error) }
  }
}

/** The message of a parser's own error does not help the user who sent the file. */
export function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (error instanceof RangeError) return 'the file is nested too deeply to be read; save it in a simpler form and send it again'
  return 'the file is damaged and cannot be read; export it again'
}

/** Reads a file in the confined child. */
export async function* answersFor(
  { mime, chunks: size, page, ...options }: HowToRead,
  bytes: Uint8Array,
): AsyncGenerator<AnswerLine> {
  if (page !== undefined) return yield* pictureOf({ mime, page, languages: options.languages }, bytes)
  let parse: Awaited<ReturnType<typeof loadParser>>
  try {
    parse = await loadParser(mime)
  } catch (error) {
    return yield { fault: String(error) }
  }
  try {
    let [index, offset] = [0, 0]
    let around: string | undefined
    for (const segment of segmentsOf(mime, bytes)) {
      const document = await parse(segment, options)
      if (around === undefined) yield { title: document.title ?? null }
      around ??= documentLanguage(document.text)
      for (const chunk of chunkDocument(document, size)) {
        const language = languageOf(chunk.text, around)
        yield { chunk: { ...chunk, index, start: chunk.start + offset, end: chunk.end + offset, language } }
        index += 1
      }
      offset += document.text.length
    }
    yield { end: true }
  } catch (error) {
    yield { error: reasonOf(error) }
  }
}
