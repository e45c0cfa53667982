import type { SpaceRights } from '../../space-access.ts'
import { AppError } from '@youworker/contracts/errors'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import { newId } from '@youworker/runtime/id'
import type { StagedFacts } from '../../../repositories/stage-repository.ts'
import type { NewVersion } from '../../../repositories/version-repository.ts'
import type { IngestionRepositories } from '../../../unit-of-work.ts'
import { fileName, identityOf, sourceOf } from '../../documents/document-path.ts'
import { NotYourDocument, requireMayChange } from '../../documents/document-rights.ts'
import type { BlobStore } from '../../files/blob-store.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'
import { announceDocument } from './announce-document.ts'
import { documentsAt } from './documents-at.ts'
import type { LinkedFile } from './known-content.ts'
import { FileGone, isGone, refuse } from './refuse-file.ts'

interface CommitterDependencies {
  readonly store: BlobStore
  readonly pipeline: string
}

/** A file that becomes a version of a document: of staged chunks, or of those of `source`. */
interface Copied extends StoredFile {
  readonly source?: DocumentRow
  /** The blob in the document's space. */
  readonly kept: string
}

interface Ready extends Copied {
  readonly path_hash: string
}

/** Writes the versions of a batch of files in one transaction, from which on they are what searches find. */
export class BatchCommitter {
  readonly #store: BlobStore
  readonly #pipeline: string

  constructor({ store, pipeline }: CommitterDependencies) {
    this.#store = store
    this.#pipeline = pipeline
  }

  /** Returns linked files whose source has changed meanwhile: they are to be read. */
  async commit(attempt: Attempt, files: readonly (StoredFile | LinkedFile)[]): Promise<StoredFile[]> {
    if (files.length === 0) return []
    const { run, signal, write } = attempt
    const target = run.target_space_id
    const ready: Copied[] = []
    for (const stored of files) {
      const { blob } = stored
      const kept = blob.space_id === target ? blob.id : await this.#store.copyTo(blob, target, signal)
      ready.push({ ...stored, kept })
    }
    const rights = await attempt.requireAccess()
    signal.throwIfAborted()
    return write((repos) => this.#write(repos, attempt, ready, rights))
  }

  async #write(
    repos: IngestionRepositories,
    attempt: Attempt,
    copied: readonly Copied[],
    rights: SpaceRights,
  ): Promise<StoredFile[]> {
    const { run } = attempt
    const started = performance.now()
    const space_id = run.target_space_id
    const { seq, erased_at } = await repos.index.next(space_id, copied.length)
    if (erased_at !== null) throw new AppError('GROUP_NOT_FOUND', 'the group was deleted')
    const { present: before, hashOf } = await documentsAt(repos.versions, run, copied, { lock: true })
    const files = copied.map((file): Ready => ({ ...file, path_hash: hashOf(file) }))
    const { allowed, changed } = await this.#check(repos, attempt, files, { before, rights })
    const facts = await repos.stages.facts(
      run.id,
      allowed.map(({ file }) => file.index),
    )
    const documents = await repos.versions.put(
      allowed.map((file) => this.#version(attempt, file, facts.get(file.file.index), before)),
    )
    const of = ({ path_hash }: Ready): DocumentRow => {
      const document = documents.get(path_hash)
      if (!document) throw new Error('a version was not stored')
      return document
    }
    await store(repos, attempt, allowed, { before, of, seq, started })
    return changed
  }

  /** Who may replace what was asked before, too; meanwhile a document or the rights may have changed. */
  async #check(
    repos: IngestionRepositories,
    attempt: Attempt,
    files: readonly Ready[],
    { before, rights }: { before: ReadonlyMap<string, DocumentRow>; rights: SpaceRights },
  ) {
    const sources = await repos.versions.lockSources(files.flatMap(({ source }) => source?.id ?? []))
    const [allowed, changed]: [Ready[], Ready[]] = [[], []]
    for (const stored of files) {
      const document = before.get(stored.path_hash)
      try {
        if (isGone(stored.file, document)) throw new FileGone()
        if (document) requireMayChange(document, attempt.run.user_id, rights)
        const isThere = !stored.source || sources.get(stored.source.id) === stored.source.generation
        if (isThere) allowed.push(stored)
        else changed.push(stored)
      } catch (error) {
        if (!(error instanceof NotYourDocument || error instanceof FileGone)) throw error
        await refuse(repos, attempt, stored, error)
      }
    }
    return { allowed, changed }
  }

  #version(
    { run }: Attempt,
    { file, blob, kept, source, path_hash }: Ready,
    staged: StagedFacts | undefined,
    before: ReadonlyMap<string, DocumentRow>,
  ): NewVersion {
    const { user_id, target_space_id: space_id } = run
    // A document that only was not read yet is called and labelled as it is.
    const stored = file.document_id === null ? undefined : before.get(path_hash)
    const { tags, collection, group_id, is_private } = stored ?? run
    const name = fileName(file.path)
    const ofSource = source && (source.title === fileName(source.path) ? name : source.title)
    const given = stored?.title === name ? undefined : stored?.title
    return {
      ...identityOf(file),
      path_hash,
      space_id,
      // What is in a user's own space is that user's, whoever brought it.
      user_id: space_id === group_id ? user_id : space_id,
      tags,
      collection,
      group_id,
      is_private,
      id: newId(),
      title: given ?? ofSource ?? staged?.title ?? name,
      mime: file.mime ?? '',
      bytes_size: blob.size ?? 0,
      sha256: blob.sha256 ?? '',
      source: sourceOf(file.uri),
      blob_id: kept,
      pipeline: this.#pipeline,
      chunk_count: source?.chunk_count ?? staged?.chunks ?? 0,
    }
  }
}

async function copyChunks(
  { stages, versions }: IngestionRepositories,
  runId: string,
  files: readonly Ready[],
  of: (file: Ready) => DocumentRow,
): Promise<void> {
  const own = files.filter(({ source }) => !source)
  const moves = own.map((file) => ({ index: file.file.index, document_id: of(file).id, generation: of(file).generation }))
  await stages.moveChunks(runId, moves)
  for (const file of files) if (file.source) await versions.copyChunks(file.source, of(file))
}

interface Stored {
  readonly before: ReadonlyMap<string, DocumentRow>
  readonly of: (file: Ready) => DocumentRow
  readonly seq: number
  readonly started: number
}

/** What belongs to the versions that were written. */
async function store(
  repos: IngestionRepositories,
  { run, number }: Attempt,
  files: readonly Ready[],
  { before, of, seq, started }: Stored,
): Promise<void> {
  const space_id = run.target_space_id
  await copyChunks(repos, run.id, files, of)
  const replaced = files.filter(({ path_hash }) => before.has(path_hash))
  const forgotten = await repos.versions.deleteOlderChunks(replaced.map(of))
  await repos.embeddings.deleteUnused(space_id, forgotten)
  const done = { status: 'success', stage: 'indexing', percent: 95, drops_blob: true } as const
  const records = files.map((file) => {
    const { id: document_id, chunk_count: chunks } = of(file)
    const entries = file.source ? [entry('embedded', number, started, { note: `the same bytes as ${file.source.path}` })] : []
    return { index: file.file.index, ...done, chunks, document_id, entries }
  })
  await repos.stages.record(run.id, records)
  const unused = files.flatMap(({ kept, blob }) => (kept === blob.id ? [] : [blob.id]))
  const kept = new Set(files.map((file) => file.kept))
  const former = replaced.flatMap(({ path_hash }) => before.get(path_hash)?.blob_id ?? []).filter((id) => !kept.has(id))
  await repos.blobs.delete([...former, ...unused])
  const changes = files.map((file, at) => ({ document_id: of(file).id, seq: seq - at }))
  await repos.index.recordAll(space_id, changes)
  for (const file of files) announceDocument(repos, run, of(file), { replaced: before.has(file.path_hash) })
}
