import type { SpaceRights } from '../../space-access.ts'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import { NotYourDocument, requireMayChange } from '../../documents/document-rights.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'
import { announceDocument } from './announce-document.ts'
import { documentsAt } from './documents-at.ts'
import { refuse } from './refuse-file.ts'

/** A file whose bytes the space has already under another path. */
export interface LinkedFile extends StoredFile {
  readonly source: DocumentRow
}

interface Sorted {
  readonly unknown: StoredFile[]
  readonly linked: LinkedFile[]
}

/**
 * Finds files whose bytes the space has: under the same path nothing is read or embedded again, only the labels may change; under another
 * one the document gets what was read of the first. A file that would replace somebody else's document is refused before any work is done for it.
 */
export class KnownContent {
  readonly #pipeline: string

  constructor(pipeline: string) {
    this.#pipeline = pipeline
  }

  async sort(attempt: Attempt, files: readonly StoredFile[]): Promise<Sorted> {
    const space = attempt.run.target_space_id
    const contents = files.flatMap(({ blob }) => blob.sha256 ?? [])
    const { present, hashOf, same } = await attempt.read(async ({ versions }) => ({
      ...(await documentsAt(versions, attempt.run, files, { lock: false })),
      same: await versions.sameContent(space, contents, this.#pipeline),
    }))
    const documentAt = (stored: StoredFile) => present.get(hashOf(stored))
    const rights = present.size > 0 ? await attempt.requireAccess() : {}
    const allowed = await this.#allowed(attempt, files, { documentAt, rights })
    const unchanged = allowed.filter((stored) => this.#isSame(stored, documentAt(stored)))
    const kept = unchanged.length > 0 ? await this.#keep(attempt, unchanged, rights) : []
    const rest = allowed.filter((stored) => !kept.includes(stored))
    const linked = rest.flatMap((stored) => {
      const source = same.find((document) => this.#isSame(stored, document))
      return source ? [{ ...stored, source }] : []
    })
    const indexes = new Set(linked.map(({ file }) => file.index))
    return { unknown: rest.filter(({ file }) => !indexes.has(file.index)), linked }
  }

  async #allowed(
    attempt: Attempt,
    files: readonly StoredFile[],
    { documentAt, rights }: { documentAt: (stored: StoredFile) => DocumentRow | undefined; rights: SpaceRights },
  ): Promise<StoredFile[]> {
    const allowed: StoredFile[] = []
    for (const stored of files) {
      const document = documentAt(stored)
      try {
        if (document) requireMayChange(document, attempt.run.user_id, rights)
        allowed.push(stored)
      } catch (error) {
        if (!(error instanceof NotYourDocument)) throw error
        await attempt.write((repos) => refuse(repos, attempt, stored, error))
      }
    }
    return allowed
  }

  #isSame({ file, blob }: StoredFile, document: DocumentRow | undefined): document is DocumentRow {
    return document?.sha256 === blob.sha256 && document.pipeline === this.#pipeline && document.mime === file.mime
  }

  /** Returns those that are still unchanged, which are done now. */
  #keep({ run, number, write }: Attempt, files: readonly StoredFile[], rights: SpaceRights): Promise<StoredFile[]> {
    return write(async (repos) => {
      const { tags, collection, group_id, is_private, target_space_id: space } = run
      const { present: locked, hashOf } = await documentsAt(repos.versions, run, files, { lock: true })
      const kept = files.flatMap((stored) => {
        const document = locked.get(hashOf(stored))
        return document && this.#isSame(stored, document) ? [{ stored, document }] : []
      })
      for (const { document } of kept) requireMayChange(document, run.user_id, rights)
      await repos.versions.touch(
        kept.flatMap(({ stored, document }) => (stored.file.document_id === null ? [document.id] : [])),
        { tags, collection, group_id, is_private },
      )
      const entries = [entry('indexed', number, performance.now(), { note: 'the same bytes were there already' })]
      const facts = { status: 'success', stage: 'done', percent: 100, drops_blob: true, entries } as const
      await repos.stages.record(
        run.id,
        kept.map(({ stored, document }) => ({
          index: stored.file.index,
          ...facts,
          chunks: document.chunk_count,
          document_id: document.id,
        })),
      )
      await repos.stages.keepTimelines(
        run.id,
        space,
        kept.map(({ stored }) => stored.file.index),
      )
      await repos.blobs.delete(
        kept.flatMap(({ stored, document }) => (document.blob_id === stored.blob.id ? [] : [stored.blob.id])),
      )
      for (const { document } of kept) announceDocument(repos, run, document, { replaced: true })
      return kept.map(({ stored }) => stored)
    })
  }
}
