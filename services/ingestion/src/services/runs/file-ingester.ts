import { setImmediate } from 'node:timers/promises'
import { AppError } from '@youworker/contracts/errors'
import { isFileMime } from '@youworker/contracts/file-types'
import type { Role } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import type { Stage } from '@youworker/contracts/documents/runs'
import type { BlobRow, DocumentRow, RunFileRow } from '@youworker/database/owners/ingestion/tables'
import { newId } from '@youworker/runtime/id'
import { cleanText } from '@youworker/runtime/text/text'
import { documentLanguage, languageOf } from '../../analysis/language.ts'
import { type Chunk, type ChunkSize, chunkDocument } from '../../chunking/chunk-document.ts'
import { parseInChild } from '../../parsing/parse-in-child.ts'
import type { ParsedDocument } from '../../parsing/parsed-document.ts'
import { PARSING } from '../../parsing/parsing-parameters.ts'
import type { NewChunk } from '../../repositories/document-repository.ts'
import type { RunView } from '../../repositories/run-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore } from '../files/blob-store.ts'
import { fileName, identityOf, sourceOf, spacesOf } from '../documents/document-path.ts'
import { requireMayChange } from '../documents/document-rights.ts'
import { embeddable, type EmbeddingService, type FencedWrite } from '../search/embedding-service.ts'
import { FileReading } from './file-reading.ts'
import { pipelineVersion } from './pipeline-version.ts'

/** `write` throws when another attempt has taken the run over. */
interface FileTask {
  readonly run: RunView
  readonly file: RunFileRow
  readonly signal: AbortSignal
  readonly write: FencedWrite
  report(stage: Stage, percent: number): Promise<void>
  /** The role in the group that the run writes to, now. Asked again before the last write: it may change while a file is read. */
  requireAccess(): Promise<Role | undefined>
}

interface SpokenChunk extends Chunk {
  readonly language: string
}

interface IngesterDependencies {
  readonly uow: IngestionUnitOfWork
  readonly store: BlobStore
  readonly embeddings: EmbeddingService
  readonly chunks: ChunkSize
}

const MAX_CHUNKS = 20_000
/** A longer text cannot fit into {@link MAX_CHUNKS}, so it is refused before it is cut. In UTF-16 units. */
const MAX_TEXT = 50_000_000
/** After so many chunks, about 10 ms, other work of the process gets its turn. */
const CHUNKS_AT_ONCE = 100

/** One file from its stored bytes to a committed version of its document. */
export class FileIngester {
  readonly #uow: IngestionUnitOfWork
  readonly #store: BlobStore
  readonly #embeddings: EmbeddingService
  readonly #size: ChunkSize
  readonly #pipeline: string
  readonly #reading: FileReading

  constructor({ uow, store, embeddings, chunks }: IngesterDependencies) {
    this.#uow = uow
    this.#store = store
    this.#embeddings = embeddings
    this.#size = chunks
    this.#pipeline = pipelineVersion(chunks)
    this.#reading = new FileReading(uow)
  }

  /** Throws a 4xx code when the file itself is the cause. */
  async ingest(task: FileTask): Promise<void> {
    const blob = await this.#blob(task)
    if (await this.#keepUnchanged(task, blob)) return
    const { title, chunks } = await this.#read(task, blob)
    await task.report('embedding', 30)
    await this.#embeddings.ensure(
      task.run.target_space_id,
      chunks.map((chunk) => embeddable(chunk)),
      { write: task.write, signal: task.signal, onProgress: (done, total) => task.report('embedding', 30 + (60 * done) / total) },
    )
    await task.report('indexing', 90)
    const target = task.run.target_space_id
    const kept = blob.space_id === target ? blob.id : await this.#store.copyTo(blob, target, task.signal)
    const role = await task.requireAccess()
    task.signal.throwIfAborted()
    await task.write((repos) => this.#commit(repos, task, { blob, kept, title, chunks, role }))
  }

  async #blob({ run, file }: FileTask): Promise<BlobRow> {
    const id = file.blob_id
    const blob = id === null ? undefined : await this.#uow.in(spacesOf(run)).read(({ blobs }) => blobs.get(id))
    if (!blob) throw new AppError('VALIDATION_ERROR', 'the uploaded file is gone; upload it again')
    return blob
  }

  async #read(task: FileTask, blob: BlobRow): Promise<{ title: string; chunks: SpokenChunk[] }> {
    await task.report('parsing', 5)
    return this.#reading.of(task, () => this.#chunks(task, blob))
  }

  async #chunks(task: FileTask, blob: BlobRow): Promise<{ title: string; chunks: SpokenChunk[] }> {
    const { file, signal } = task
    const document = await this.#parse(task, blob)
    if (document.text.length > MAX_TEXT) throw tooMuchText()
    await task.report('chunking', 25)
    const chunks: SpokenChunk[] = []
    const around = documentLanguage(document.text)
    for (const chunk of chunkDocument(document, this.#size)) {
      if (chunks.push({ ...storable(chunk), language: languageOf(chunk.text, around) }) > MAX_CHUNKS) throw tooMuchText()
      if (chunks.length % CHUNKS_AT_ONCE === 0) await setImmediate()
      signal.throwIfAborted()
    }
    if (chunks.length === 0) throw new AppError('VALIDATION_ERROR', 'the file holds no text')
    const title = cleanText(document.title ?? '', { lines: 'join', max: PARSING.maxDocumentTitle })
    return { title: title || fileName(file.path), chunks }
  }

  async #parse({ file, signal }: FileTask, blob: BlobRow): Promise<ParsedDocument> {
    const mime = file.mime ?? ''
    if (!isFileMime(mime)) throw new AppError('UNSUPPORTED_MEDIA_TYPE', `files of type ${mime} are not read by this version`)
    return parseInChild({ bytes: await this.#store.bytes(blob, signal), mime, signal })
  }

  /**
   * The same bytes under the same path: nothing is parsed or embedded again, only the labels may change. A file that would replace
   * somebody else's document is refused here, before any work is done for it.
   */
  async #keepUnchanged({ run, file, write, requireAccess }: FileTask, blob: BlobRow): Promise<boolean> {
    const { path_hash } = identityOf(file)
    const target = run.target_space_id
    const same = (document: DocumentRow | undefined): document is DocumentRow =>
      document?.sha256 === blob.sha256 && document.pipeline === this.#pipeline && document.mime === file.mime
    const present = await this.#uow.in([target]).read(({ documents }) => documents.getByPath(target, path_hash))
    if (!present) return false
    const role = await requireAccess()
    requireMayChange(present, run.user_id, role)
    if (!same(present)) return false
    return write(async (repos) => {
      const document = await repos.documents.lockByPath(target, path_hash)
      if (!same(document)) return false
      requireMayChange(document, run.user_id, role)
      const { tags, collection, group_id, is_private } = run
      await repos.documents.touch(document.id, { tags, collection, group_id, is_private })
      await repos.blobs.delete([blob.id])
      await finishFile(repos, run, file, { document, stage: 'done', replaced: true })
      return true
    })
  }

  async #commit(
    repos: IngestionRepositories,
    { run, file }: FileTask,
    made: { blob: BlobRow; kept: string; title: string; chunks: readonly SpokenChunk[]; role: Role | undefined },
  ): Promise<void> {
    const space_id = run.target_space_id
    const state = await repos.index.next(space_id)
    if (state.erased_at !== null) throw new AppError('GROUP_NOT_FOUND', 'the group was deleted')
    const { tags, collection, group_id, is_private, user_id } = run
    const where = { space_id, user_id, ...identityOf(file) }
    const labels = { tags, collection, group_id, is_private }
    const before = await repos.documents.lockByPath(space_id, where.path_hash)
    if (before) requireMayChange(before, user_id, made.role)
    const { blob, kept, title, chunks } = made
    const document = await repos.documents.putVersion({
      ...where,
      ...labels,
      id: newId(),
      title,
      mime: file.mime ?? '',
      bytes_size: blob.size ?? 0,
      sha256: blob.sha256 ?? '',
      source: sourceOf(file.uri),
      blob_id: kept,
      pipeline: this.#pipeline,
      chunk_count: chunks.length,
    })
    await repos.documents.addChunks(document, chunks.map(asRow))
    if (before) {
      const forgotten = await repos.documents.deleteChunks(document.id, document.generation)
      await repos.embeddings.deleteUnused(space_id, forgotten)
    }
    await finishFile(repos, run, file, { document, stage: 'indexing', replaced: before !== undefined })
    await repos.blobs.delete([...(before ? [before.blob_id] : []), ...(kept === blob.id ? [] : [blob.id])])
    await repos.index.record(space_id, document.id, state.seq)
  }
}

const tooMuchText = () =>
  new AppError('VALIDATION_ERROR', `the file holds more text than one document may (${MAX_CHUNKS} passages); split it`)

/** Postgres refuses NUL and broken surrogate pairs. Lengths stay, and so do offsets. */
const storable = (chunk: Chunk): Chunk => ({
  ...chunk,
  text: cleanText(chunk.text),
  title_path: chunk.title_path.map((title) => cleanText(title)),
})

const asRow = (chunk: SpokenChunk): NewChunk => ({
  id: newId(),
  index: chunk.index,
  text: chunk.text,
  title_path: [...chunk.title_path],
  page: chunk.page ?? null,
  start: chunk.start,
  end: chunk.end,
  text_hash: embeddable(chunk).text_hash,
  language: chunk.language,
})

async function finishFile(
  { runs, outbox }: IngestionRepositories,
  run: RunView,
  file: RunFileRow,
  { document, stage, replaced }: { document: DocumentRow; stage: Stage; replaced: boolean },
): Promise<void> {
  const { id: document_id, chunk_count: chunks, bytes_size, space_id } = document
  const percent = stage === 'done' ? 100 : 95
  const done = { status: 'success', stage, percent, chunks, document_id, blob_id: null, error: null } as const
  await runs.updateFile(run.id, file.index, done)
  outbox.add(ingestion.documentIngested, { document_id, user_id: run.user_id, space_id, bytes_size, chunks, replaced })
}
