import type { CursorPage } from '@youworker/contracts/common'
import type { Document } from '@youworker/contracts/documents/documents'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { type ReceiptFilter, toErasures } from '@youworker/database/deletion/receipts'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import { detached } from '@youworker/runtime/current-request'
import type { Logger } from '@youworker/runtime/logger'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { Indexing } from '../search/index-service.ts'
import {
  type CheckSpace,
  notFound,
  type Readable,
  type SpaceAccess,
  type SpaceRights,
  whileGroupsAnswer,
} from '../space-access.ts'
import { eraseDocument, type ErasureVerifier } from './document-erasure.ts'
import { changeOf, type DocumentAct, maySee, NotYourDocument, requireMayChange } from './document-rights.ts'
import { noDocument, toDocument } from './document-view.ts'

interface DeletionParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly indexing: Indexing
  readonly verifier: ErasureVerifier
  readonly logger: Logger
  /** How long a deleted document can be restored. */
  readonly keepDays: number
}

interface Change {
  readonly document: DocumentRow
  readonly seq: number
}

interface Found extends Pick<Readable, 'ids' | 'shared'>, Pick<DocumentRow, 'space_id' | 'collection'> {}

/** Longest wait of a change for the search index, in ms. Searches follow Postgres from the commit on. */
const INDEX_WAIT_MS = 1_000

/** Deletes documents in two steps, or in one, and brings them back between the two. */
export class DeletionService {
  readonly #parts: DeletionParts

  constructor(parts: DeletionParts) {
    this.#parts = parts
  }

  async delete(
    { document_id, purge = false }: { readonly document_id: string; readonly purge?: boolean },
    context: UserContext,
  ): Promise<Record<string, never>> {
    const { user_id: by } = context.caller
    const { keepDays } = this.#parts
    const act = purge ? 'document.purge' : 'document.delete'
    await this.#change(document_id, act, context, async (repos, { document, seq }) => {
      if (purge) return eraseDocument(repos, document, { seq, reason: 'purge', by })
      if (document.deleted_at !== null) throw noDocument()
      await repos.deletions.hide('documents', document_id, { by, keepDays })
      await repos.index.record(document.space_id, document_id, seq)
      repos.outbox.add(ingestion.documentSoftDeleted, { document_id, user_id: by, space_id: document.space_id }, context)
    })
    if (purge) await this.#verify(document_id, by)
    return {}
  }

  async restore({ document_id }: { readonly document_id: string }, context: UserContext): Promise<Document> {
    const { user_id } = context.caller
    const { space_id: space, shared } = await this.#change(
      document_id,
      'document.restore',
      context,
      async (repos, { document, seq }) => {
        const { space_id, path_hash } = document
        if (document.deleted_at === null) return
        if (await repos.documents.getByPath(space_id, path_hash)) throw pathTaken()
        await repos.deletions.show('documents', document_id)
        await repos.index.record(space_id, document_id, seq)
        repos.outbox.add(ingestion.documentRestored, { document_id, user_id, space_id }, context)
      },
    )
    const restored = await this.#parts.uow.in([space]).read(({ documents }) => documents.get(document_id))
    if (!restored) throw noDocument()
    return toDocument(restored, shared)
  }

  async listErasures({ kind, target_id, ...page }: ReceiptFilter & CursorPage, { caller }: UserContext) {
    const { user_id } = caller
    return toErasures(
      await this.#parts.uow.in([user_id]).read(({ receipts }) => receipts.list(user_id, { kind, target_id }, page)),
    )
  }

  /** Changes a document that the caller may change, deleted or not, and the index after it. Returns where it was found. */
  async #change(
    documentId: string,
    action: DocumentAct,
    context: UserContext,
    work: (repos: IngestionRepositories, change: Change) => Promise<void>,
  ): Promise<Found> {
    const { uow, checkSpace, indexing } = this.#parts
    const { user_id } = context.caller
    const found = await this.#find(documentId, context)
    const { space_id, ids, shared } = found
    // The group's own answer, because a role and a membership count as they are at this moment.
    const { allowed, ...rights } = await whileGroupsAnswer(() => checkSpace(user_id, space_id))
    if (!maySee(found, { allowed, ...rights })) throw noDocument()
    try {
      await uow.inWithDeleted(ids, shared).write(async (repos) => {
        await work(repos, await locked(repos, { documentId, space_id, user_id, rights }))
        recordAudit(repos.outbox, ingestion.auditRecorded, changeOf(documentId, user_id, action, 'allowed'), context)
      })
    } catch (error) {
      if (error instanceof NotYourDocument) {
        const denied = changeOf(documentId, user_id, action, 'denied')
        await uow.in([user_id]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
      }
      throw error
    }
    await indexing.bringUpToDate([space_id], { waitMs: INDEX_WAIT_MS })
    return found
  }

  async #find(documentId: string, context: UserContext): Promise<Found> {
    const { uow, access } = this.#parts
    const { found, spaces } = await access.findReadable(context, async ({ ids, all, shared }) => {
      const row = await uow.inWithDeleted(all, shared).read(({ documents }) => documents.get(documentId))
      if (!row) return undefined
      const { space_id, collection, user_id: owner } = row
      // The owner's space is seen too: a receipt may go there.
      return { space_id, collection, shared, ids: owner === space_id ? ids : [...new Set([...ids, owner])] }
    })
    if (!found) throw notFound(spaces, noDocument())
    return found
  }

  /** Goes on after a second; what fails is verified by the next sweep. */
  async #verify(documentId: string, reader: string): Promise<void> {
    const { uow, verifier, logger } = this.#parts
    const receipts = await uow.in([reader]).read((repos) => repos.receipts.unverifiedOf(documentId))
    const work = detached(async () => {
      for (const receipt of receipts) await verifier.verify(receipt)
    }).catch((error: unknown) => logger.warn({ err: error, document_id: documentId }, 'an erasure is verified later'))
    await settledWithin(INDEX_WAIT_MS, work)
  }
}

interface Target {
  readonly documentId: string
  readonly space_id: string
  readonly user_id: string
  readonly rights: SpaceRights
}

/** Locks the space before the document, in the order of the ingester, so that they cannot deadlock. */
async function locked(repos: IngestionRepositories, { documentId, space_id, user_id, rights }: Target): Promise<Change> {
  const { seq } = await repos.index.next(space_id)
  const document = await repos.documents.lock(documentId)
  if (document?.space_id !== space_id) throw noDocument()
  requireMayChange(document, user_id, rights)
  return { document, seq }
}

const pathTaken = () =>
  new AppError(
    'CONFLICT',
    'Another document has the path of this one now; delete that one or give it another name, then restore this one',
  )
