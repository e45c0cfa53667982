import type { CursorPage } from '@youworker/contracts/common'
import type { Document, DocumentChunk } from '@youworker/contracts/documents/documents'
import { LIMITS } from '@youworker/contracts/limits'
import type { BlobRow, DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { DocumentFilter } from '../../repositories/document-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { fileName } from './document-path.ts'
import { mayChangeAll, mayChangeOwn } from './document-rights.ts'
import { noDocument, toDocument } from './document-view.ts'
import { type CheckSpace, notFound, type Readable, readableOf, type SpaceAccess, whileGroupsAnswer } from '../space-access.ts'

interface DocumentDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
}

type ListInput = Omit<DocumentFilter, 'restorable'> & CursorPage & { readonly include_deleted?: boolean }

interface ChunkPage {
  readonly limit: number
  /** `index` of the passage before the first one. */
  readonly after?: number | undefined
}

interface DocumentId {
  readonly document_id: string
}

const MAX_COLLECTIONS = 500
const MANY_SPACES = 20
/** Most groups with deleted documents whose role is asked for one list. */
const MAX_ASKED = 200

/** The documents in the caller's spaces, and in collections of others that the caller was let into. Every member of a group may read its documents. */
export class DocumentService {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess
  readonly #checkSpace: CheckSpace

  constructor({ uow, access, checkSpace }: DocumentDependencies) {
    this.#uow = uow
    this.#access = access
    this.#checkSpace = checkSpace
  }

  async list({ include_deleted, ...filter }: ListInput, context: UserContext) {
    const { ids, shared } = await this.#readable(filter, context)
    const spaces = await this.#withDocuments(ids)
    const { rows, ...rest } = await (include_deleted
      ? this.#listAll(spaces, filter, context)
      : this.#uow.in(spaces, shared).read(({ documents }) => documents.list(spaces, filter, shared)))
    return { documents: rows.map((row) => toDocument(row, shared)), ...rest }
  }

  async #readable({ group_id }: Pick<DocumentFilter, 'group_id'>, context: UserContext): Promise<Readable> {
    if (group_id === undefined) return this.#access.readable(context)
    return readableOf(await this.#access.require(context, group_id), [])
  }

  /** With those that are deleted and the caller may restore. */
  async #listAll(ids: readonly string[], filter: DocumentFilter & CursorPage, { caller }: UserContext) {
    const { user_id } = caller
    const scope = this.#uow.inWithDeleted(ids)
    const having = await scope.read(({ documents }) => documents.spacesWithDeleted(ids, MAX_ASKED))
    const groups = having.filter((id) => id !== user_id)
    const rights = await whileGroupsAnswer(() => Promise.all(groups.map((id) => this.#checkSpace(user_id, id))))
    const all_in = groups.filter((_, at) => mayChangeAll(rights[at] ?? {}))
    const own_in = groups.filter((_, at) => mayChangeOwn(rights[at] ?? {}))
    const restorable = { user_id, own_in, all_in: [user_id, ...all_in] }
    return scope.read(({ documents }) => documents.list(ids, { ...filter, restorable }))
  }

  /** Of many spaces those that may have documents: each statement costs with every space that it is asked for. */
  async #withDocuments(ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length < MANY_SPACES) return ids
    const inUse = await this.#uow.in(ids).read(({ index }) => index.inUse(ids))
    return inUse.map(({ space_id }) => space_id)
  }

  async sumCollections({ group_id }: Pick<DocumentFilter, 'group_id'>, context: UserContext) {
    const { user_id } = context.caller
    const spaces = await this.#readable({ group_id }, context)
    const whose = group_id === undefined ? { user_id } : { space_id: group_id }
    const collections = await this.#uow.in(spaces.ids).read(({ documents }) => documents.sumCollections(whose, MAX_COLLECTIONS))
    return { collections }
  }

  async get({ document_id }: DocumentId, context: UserContext): Promise<Document> {
    const { document, spaces } = await this.find(document_id, context)
    return toDocument(document, spaces.shared)
  }

  async listChunks({ document_id, limit, after = -1 }: DocumentId & ChunkPage, context: UserContext) {
    const { document } = await this.find(document_id, context)
    const { id, generation, space_id, chunk_count: total } = document
    const rows = await this.#uow
      .in([space_id])
      .read(({ documents }) => documents.chunks({ id, generation, space_id }, after, limit))
    const chunks = withinReply(rows)
    const last = chunks.at(-1)
    const hasMore = last !== undefined && last.index + 1 < total
    return { chunks, total, ...(hasMore ? { next_after: last.index } : {}) }
  }

  async openContent({ document_id }: DocumentId, context: UserContext) {
    const { document, blob } = await this.find(document_id, context)
    const { id: blob_id, size, pieces, sha256 } = blob
    const name = fileName(document.path)
    return { blob_id, name, mime: document.mime, size: size ?? 0, pieces: pieces ?? 0, sha256: sha256 ?? '' }
  }

  /** With the file of that version. */
  async find(documentId: string, context: UserContext): Promise<{ document: DocumentRow; blob: BlobRow; spaces: Readable }> {
    const { found, spaces } = await this.#access.findReadable(context, async (readable) => {
      const found = await this.#uow.in(readable.all, readable.shared).read(async ({ documents, blobs }) => {
        const document = await documents.get(documentId)
        const blob = document && (await blobs.get(document.blob_id))
        return document && blob && { document, blob }
      })
      return found && { ...found, spaces: readable }
    })
    if (!found) throw notFound(spaces, noDocument())
    return found
  }
}

/** In bytes; leaves 32 KiB for the rest of the reply. */
const MAX_REPLY = LIMITS.wire - 32 * 1024

/** The first ones, at least one. */
function withinReply(chunks: readonly DocumentChunk[]): DocumentChunk[] {
  let bytes = 0
  return chunks.filter((chunk, at) => {
    bytes += Buffer.byteLength(JSON.stringify(chunk))
    return at === 0 || bytes <= MAX_REPLY
  })
}
