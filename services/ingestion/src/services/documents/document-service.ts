import type { CursorPage } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import type { Role } from '@youworker/contracts/group'
import type { Document } from '@youworker/contracts/documents/documents'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { BlobRow, DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { DocumentFilter } from '../../repositories/document-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { fileName } from './document-path.ts'
import type { IndexService } from '../search/index-service.ts'
import { changeOf, NotYourDocument, requireMayChange } from './document-rights.ts'
import { type CheckSpace, notFound, type SpaceAccess, type Spaces, whileGroupsAnswer } from '../space-access.ts'

interface DocumentDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly indexing: IndexService
}

interface DocumentId {
  readonly document_id: string
}

/** Longest wait of a delete for the search index, in ms. Searches do not return the text from the commit on. */
const INDEX_WAIT_MS = 1_000
const MAX_COLLECTIONS = 500
const MANY_SPACES = 20

/** The documents in the caller's spaces. Every member of a group may read its documents; {@link requireMayChange} says who may change one. */
export class DocumentService {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess
  readonly #checkSpace: CheckSpace
  readonly #indexing: IndexService

  constructor({ uow, access, checkSpace, indexing }: DocumentDependencies) {
    this.#uow = uow
    this.#access = access
    this.#checkSpace = checkSpace
    this.#indexing = indexing
  }

  async list(filter: DocumentFilter & CursorPage, context: UserContext) {
    const { group_id } = filter
    const spaces = await (group_id === undefined ? this.#access.of(context) : this.#access.require(context, group_id))
    const ids = await this.#withDocuments(spaces.ids)
    const { rows, ...rest } = await this.#uow.in(ids).read(({ documents }) => documents.list(ids, filter))
    return { documents: rows.map(toDocument), ...rest }
  }

  /** Of many spaces those that may have documents: each statement costs with every space that it is asked for. */
  async #withDocuments(ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length < MANY_SPACES) return ids
    const inUse = await this.#uow.in(ids).read(({ index }) => index.inUse(ids))
    return inUse.map(({ space_id }) => space_id)
  }

  async sumCollections({ group_id }: Pick<DocumentFilter, 'group_id'>, context: UserContext) {
    const { user_id } = context.caller
    const spaces = await (group_id === undefined ? this.#access.of(context) : this.#access.require(context, group_id))
    const whose = group_id === undefined ? { user_id } : { space_id: group_id }
    const collections = await this.#uow.in(spaces.ids).read(({ documents }) => documents.sumCollections(whose, MAX_COLLECTIONS))
    return { collections }
  }

  async get({ document_id }: DocumentId, context: UserContext): Promise<Document> {
    return toDocument((await this.#read(document_id, context)).document)
  }

  async openContent({ document_id }: DocumentId, context: UserContext) {
    const { document, blob } = await this.#read(document_id, context)
    const { id: blob_id, size, pieces, sha256 } = blob
    const name = fileName(document.path)
    return { blob_id, name, mime: document.mime, size: size ?? 0, pieces: pieces ?? 0, sha256: sha256 ?? '' }
  }

  /** Erases the document with text, vectors and file; searches do not return it from the commit on. */
  async delete({ document_id }: DocumentId, context: UserContext): Promise<Record<string, never>> {
    const { user_id } = context.caller
    const { document, spaces } = await this.#read(document_id, context)
    const { space_id } = document
    // The group's own answer, because a role and a membership count as they are at this moment.
    const { allowed, role } = await whileGroupsAnswer(() => this.#checkSpace(user_id, space_id))
    if (!allowed) throw noDocument()
    try {
      await this.#uow.in(spaces.ids).write((repos) => erase(repos, { document_id, space_id, role }, context))
    } catch (error) {
      if (error instanceof NotYourDocument) {
        const denied = changeOf(document_id, user_id, 'document.delete', 'denied')
        await this.#uow.in([user_id]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
      }
      throw error
    }
    await this.#indexing.bringUpToDate([space_id], { waitMs: INDEX_WAIT_MS })
    return {}
  }

  async #read(documentId: string, context: UserContext): Promise<{ document: DocumentRow; blob: BlobRow; spaces: Spaces }> {
    const { found, spaces } = await this.#access.find(context, ({ ids }) =>
      this.#uow.in(ids).read(async ({ documents, blobs }) => {
        const document = await documents.get(documentId)
        const blob = document && (await blobs.get(document.blob_id))
        return document && blob && { document, blob }
      }),
    )
    if (!found) throw notFound(spaces, noDocument())
    return { ...found, spaces }
  }
}

const noDocument = () => new AppError('DOCUMENT_NOT_FOUND', 'There is no such document among yours; GET /v1/documents lists them')

async function erase(
  repos: IngestionRepositories,
  { document_id, space_id, role }: { document_id: string; space_id: string; role: Role | undefined },
  context: UserContext,
): Promise<void> {
  const { user_id } = context.caller
  // Locks the space before the document, in the order of the ingester, so that they cannot deadlock.
  const { seq } = await repos.index.next(space_id)
  const document = await repos.documents.lock(document_id)
  if (!document) throw noDocument()
  requireMayChange(document, user_id, role)
  const forgotten = await repos.documents.deleteChunks(document_id, document.generation + 1)
  await repos.documents.delete(document_id)
  await repos.embeddings.deleteUnused(space_id, forgotten)
  await repos.blobs.delete([document.blob_id])
  await repos.index.record(space_id, document_id, seq)
  repos.outbox.add(ingestion.documentDeleted, { document_id, user_id, space_id }, context)
  const act = changeOf(document_id, user_id, 'document.delete', 'allowed')
  recordAudit(repos.outbox, ingestion.auditRecorded, act, context)
}

function toDocument(row: DocumentRow): Document {
  const { id, uri, path, title, mime, bytes_size, source, tags, collection, group_id, is_private, path_hash } = row
  const { chunk_count, created_at, last_ingested_at } = row
  const names = { id, uri, path, title, mime, bytes_size, source, tags, collection, group_id, is_private, path_hash }
  return { ...names, chunk_count, created_at, last_ingested_at }
}
