import { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import { isFileMime } from '@youworker/contracts/file-types'
import { cleanText } from '@youworker/runtime/text/text'
import { newId } from '@youworker/runtime/id'
import type { ChunkSize } from '../../../chunking/chunk-document.ts'
import { PARSING } from '../../../parsing/parsing-parameters.ts'
import type { SpokenChunk } from '../../../reading/read-file.ts'
import { type FileToRead, ParserDied } from '../../../reading/reader-process.ts'
import type { ReaderPool } from '../../../reading/reader-pool.ts'
import type { FileRecord, NewStagedChunk } from '../../../repositories/stage-repository.ts'
import { fileName } from '../../documents/document-path.ts'
import type { BlobStore } from '../../files/blob-store.ts'
import { embeddable } from '../../search/embedding-service.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'
import type { Transcript } from './transcriber.ts'
import type { Transcripts } from './recording-listener.ts'
import { isOfFile } from './file-error.ts'

/**
 * A first death of the child may have been bad luck (a busy machine, little memory); a second one is the file's. The service itself
 * dies for many other reasons, and with the file only by a fault of ours; one less than a job has attempts, so that the other files
 * of the run still have one.
 */
const MOST = { deaths: 2, tries: 4 } as const
/** So many chunks, about 1 MB, are held before they are stored. */
const STAGE_AT = 500

interface ReaderDependencies {
  readonly store: BlobStore
  readonly readers: ReaderPool
  readonly chunks: ChunkSize
  /** Names how this process reads. */
  readonly pipeline: string
}

interface Batch {
  readonly waiting: NewStagedChunk[]
  readonly records: FileRecord[]
}

/** From stored bytes to staged chunks: `parsed` and `chunked`. A try is counted before it begins, and not any more when it ended in order. */
export class BatchReader {
  readonly #store: BlobStore
  readonly #readers: ReaderPool
  readonly #chunks: ChunkSize
  readonly #pipeline: string

  constructor({ store, readers, chunks, pipeline }: ReaderDependencies) {
    this.#store = store
    this.#readers = readers
    this.#chunks = chunks
    this.#pipeline = pipeline
  }

  /** `heard`: of recordings, what is read in their place. Returns those whose chunks are staged; the others have failed. */
  async read(attempt: Attempt, files: readonly StoredFile[], heard: Transcripts): Promise<StoredFile[]> {
    const staged: StoredFile[] = []
    let left = files
    for (let died = new Map<number, string>(); left.length > 0;) {
      const pass = await this.#pass(attempt, left, { died, heard })
      staged.push(...pass.staged)
      died = pass.died
      left = left.filter(({ file }) => died.has(file.index))
    }
    return staged
  }

  /** `died`: why the child died that read a file, by its index; those are worth another pass. */
  async #pass(
    attempt: Attempt,
    files: readonly StoredFile[],
    { died: before, heard }: { readonly died: ReadonlyMap<number, string>; readonly heard: Transcripts },
  ) {
    const { run, write } = attempt
    const indexes = files.map(({ file }) => file.index)
    const allowed = new Set(
      await write(({ stages }) => stages.beginReading(run.id, indexes, { ...MOST, pipeline: this.#pipeline })),
    )
    const batch: Batch = { waiting: [], records: [] }
    const [staged, died]: [StoredFile[], Map<number, string>] = [[], new Map()]
    const bytesOf = await this.#store.openAll(files.map(({ blob }) => blob))
    for (const stored of files) {
      const { index } = stored.file
      if (!allowed.has(index)) {
        batch.records.push(failed(stored, attempt, givenUp(before.get(index)), performance.now()))
        continue
      }
      const started = performance.now()
      try {
        const source = transcribed(heard.get(index)) ?? storedSource(stored, bytesOf(stored.blob, attempt.signal))
        await this.#readOne(attempt, stored, source, batch)
        staged.push(stored)
      } catch (error) {
        attempt.signal.throwIfAborted()
        // What was staged of it goes with the next try or with the run; what still waits is dropped here.
        const kept = batch.waiting.filter(({ file_index }) => file_index !== index)
        batch.waiting.splice(0, batch.waiting.length, ...kept)
        batch.records.push(this.#afterFailure(attempt, stored, error, { started, died }))
      }
    }
    await this.#flush(attempt, batch)
    return { staged, died }
  }

  #afterFailure(
    attempt: Attempt,
    stored: StoredFile,
    error: unknown,
    { started, died }: { started: number; died: Map<number, string> },
  ): FileRecord {
    const { index } = stored.file
    if (error instanceof ParserDied) {
      died.set(index, error.message)
      const entries = [entry('parsed', attempt.number, started, { error: error.message })]
      return { index, read_ended: true, reader_died: true, entries }
    }
    if (!(error instanceof AppError) || !isOfFile(error)) throw error
    return { ...failed(stored, attempt, error.message, started), read_ended: true }
  }

  async #readOne(attempt: Attempt, { file }: StoredFile, source: Source, batch: Batch): Promise<void> {
    const started = performance.now()
    let [title, count, parsed] = ['', 0, started]
    const { signal } = attempt
    const asked = { ...source, chunks: this.#chunks, signal }
    for await (const piece of this.#readers.read(attempt.run.target_space_id, asked)) {
      if ('title' in piece) {
        title = cleanText(piece.title ?? '', { lines: 'join', max: PARSING.maxDocumentTitle })
        parsed = performance.now()
        continue
      }
      batch.waiting.push(staged(file.index, piece.chunk))
      count += 1
      if (batch.waiting.length >= STAGE_AT) await this.#flush(attempt, batch)
    }
    if (count === 0) throw new AppError('VALIDATION_ERROR', 'the file holds no text')
    const duration_ms = Math.round(parsed - started)
    const entries = [{ ...entry('parsed', attempt.number, started), duration_ms }, entry('chunked', attempt.number, parsed)]
    const facts = { title: title || fileName(file.path), chunks: count, checkpoint: 'chunked', read_ended: true } as const
    batch.records.push({ index: file.index, stage: 'embedding', percent: 30, ...facts, entries })
  }

  async #flush({ run, write }: Attempt, { waiting, records }: Batch): Promise<void> {
    const [chunks, facts] = [waiting.splice(0), records.splice(0)]
    if (chunks.length === 0 && facts.length === 0) return
    await write(async ({ stages }) => {
      await stages.stage(run.id, run.target_space_id, chunks)
      await stages.record(run.id, facts)
    })
  }
}

type Source = Pick<FileToRead, 'mime' | 'size' | 'bytes'>

/** What was said in a recording, or why that is not known. */
function transcribed(transcript: Transcript | AppError | undefined): Source | undefined {
  if (transcript === undefined) return undefined
  if (transcript instanceof AppError) throw transcript
  const bytes = Buffer.from(transcript.text)
  return { mime: transcript.mime, size: bytes.length, bytes: Readable.from([bytes]) }
}

function storedSource({ file, blob }: StoredFile, bytes: AsyncIterable<Uint8Array>): Source {
  const mime = file.mime ?? ''
  if (!isFileMime(mime)) throw new AppError('UNSUPPORTED_MEDIA_TYPE', `files of type ${mime} are not read by this version`)
  return { mime, size: blob.size ?? 0, bytes }
}

const failed = ({ file }: StoredFile, attempt: Attempt, error: string, started: number): FileRecord => ({
  index: file.index,
  status: 'failed',
  stage: 'done',
  percent: 100,
  error,
  entries: [entry('parsed', attempt.number, started, { error })],
})

/** Postgres refuses NUL and broken surrogate pairs. Lengths stay, and so do offsets. */
function staged(file_index: number, chunk: SpokenChunk): NewStagedChunk {
  const [text, title_path] = [cleanText(chunk.text), chunk.title_path.map((title) => cleanText(title))]
  const { text_hash } = embeddable({ text, title_path })
  const { index, start, end, page = null, language, time } = chunk
  const times = { time_start: time?.start ?? null, time_end: time?.end ?? null }
  return { id: newId(), file_index, index, text, title_path, page, start, end, text_hash, language, ...times }
}

/** `died`: as seen by this process; without it the file was given up before this process began. */
const givenUp = (died: string | undefined): string =>
  died === undefined
    ? 'it was given up because what reads it ended each time; split it or export it anew'
    : `it was given up after ${MOST.deaths} tries: ${died}; split it or export it anew`
