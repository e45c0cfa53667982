import type { Erasure } from '@youworker/contracts/erasures'
import { ingestion } from '@youworker/contracts/ingestion'
import type { ReceiptRow } from '@youworker/database/deletion/receipts'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import { LRUCache } from 'lru-cache'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { Generation } from '../search/generations/generation.ts'
import type { Generations } from '../search/generations/generations.ts'

/** Where a receipt counts the passages that the search index held. */
const INDEX = 'search_index'

/**
 * Erases a locked document of a space whose number was taken, with its texts, vectors and file. Its receipt goes to who brought it and to who
 * deleted it.
 */
export async function eraseDocument(
  repos: IngestionRepositories,
  document: DocumentRow,
  { seq, reason, by }: { readonly seq: number; readonly reason: Erasure['reason']; readonly by: string },
): Promise<void> {
  const { id: document_id, space_id, user_id, blob_id, deleted_at } = document
  const text_hashes = await repos.traces.hashesOf(document_id)
  const traces = { space_id: [space_id], document_ids: [document_id], blob_ids: [blob_id], text_hashes }
  const removed = await repos.traces.count(traces)
  await repos.documents.deleteChunks(document_id, document.generation + 1)
  await repos.documents.delete(document_id)
  await repos.embeddings.deleteUnused(space_id, text_hashes)
  await repos.blobs.delete([blob_id])
  await repos.index.record(space_id, document_id, seq)
  const readers = [user_id, by]
  await repos.receipts.add({ kind: 'document', target_id: document_id, reason, readers, removed, traces, deleted_at })
  repos.outbox.add(ingestion.documentDeleted, { document_id, user_id: by, space_id })
}

/** One whose time to be restored is over. */
export async function eraseExpired(
  repos: IngestionRepositories,
  { id, space_id }: Pick<DocumentRow, 'id' | 'space_id'>,
): Promise<void> {
  const { seq } = await repos.index.next(space_id)
  const document = await repos.documents.lockExpired(id)
  if (document) await eraseDocument(repos, document, { seq, reason: 'expired', by: document.deleted_by ?? document.user_id })
}

interface VerifierParts {
  readonly uow: IngestionUnitOfWork
  readonly generations: Generations
}

/** Looks for what was erased where it was, in Postgres and in all search indexes, and notes on the receipt when nothing is left. */
export class ErasureVerifier {
  readonly #parts: VerifierParts
  readonly #scrubbed = new LRUCache<string, string>({ max: 10_000 })

  constructor(parts: VerifierParts) {
    this.#parts = parts
  }

  /** Whether nothing is left. */
  async verify({ id, space_id: reader, removed, traces }: ReceiptRow): Promise<boolean> {
    const { uow, generations } = this.#parts
    const [space] = traces?.['space_id'] ?? []
    if (traces === null || space === undefined) return true
    const scope = uow.inWithDeleted([space])
    const documentIds = traces['document_ids']
    await (documentIds ? this.#forget(space, documentIds) : generations.forget(space))
    const left = await scope.read((repos) => repos.traces.count({ ...traces, space_id: [space] }))
    const isGone = Object.values(left).every((count) => count === 0) && !(await this.#isIndexed(space, documentIds))
    if (isGone) {
      await this.#scrubAll(space, await generations.all())
      const passages = removed['chunks'] ?? 0
      await uow.in([reader]).write(({ receipts }) => receipts.verified(id, { [INDEX]: passages }))
    }
    return isGone
  }

  /** An index that is not searched may be far behind, and is not waited for. */
  async #forget(space: string, documentIds: readonly string[]): Promise<void> {
    const [active, ...others] = await this.#parts.generations.all()
    await active?.indexing.bringUpToDate([space])
    for (const { indexing } of others) await indexing.forgetDocuments(space, documentIds)
  }

  /** Once after the last change of the space, which the first index has seen, however many documents went before it. */
  async #scrubAll(space: string, generations: readonly Generation[]): Promise<void> {
    const last = await generations[0]?.index.state(space)
    for (const { index, number } of generations) {
      const [key, now] = [`${number} ${space}`, `${last?.epoch} ${last?.seq}`]
      if ((await index.state(space)) === undefined || this.#scrubbed.get(key) === now) continue
      await index.scrub(space)
      this.#scrubbed.set(key, now)
    }
  }

  async #isIndexed(space: string, documentIds: readonly string[] | undefined): Promise<boolean> {
    for (const { index } of await this.#parts.generations.all())
      for (const document_id of documentIds ?? [undefined]) {
        const found = await index.contents(space, { document_id, limit: 1 })
        if (found.length > 0) return true
      }
    return false
  }
}
