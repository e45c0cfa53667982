import type { Document, DocumentChanges } from '@youworker/contracts/documents/documents'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { BlobRow, DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { SpaceState } from '../../repositories/index-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore } from '../files/blob-store.ts'
import type { Indexing } from '../search/index-service.ts'
import { type CheckSpace, notFound, type SpaceAccess, type SpaceRights, whileGroupsAnswer } from '../space-access.ts'
import { identityOf, pathHashWithin, spaceOf } from './document-path.ts'
import { changeOf, maySee, NotYourDocument, requireMayChange } from './document-rights.ts'
import { noDocument, toDocument } from './document-view.ts'

interface EditorParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly store: BlobStore
  readonly indexing: Indexing
}

interface Edit {
  readonly document: DocumentRow
  readonly next: Pick<DocumentRow, 'title' | 'tags' | 'collection' | 'group_id' | 'is_private' | 'space_id' | 'blob_id'>
}

const INDEX_WAIT_MS = 1_000

/** Changes what a document is called, how it is labelled and whose it is: its own user's, or a group's. */
export class DocumentEditor {
  readonly #parts: EditorParts

  constructor(parts: EditorParts) {
    this.#parts = parts
  }

  /**
   * Who may delete a document may change its labels. Only who brought it moves it to another space, with its passages and vectors: nothing is
   * read or embedded again, only the file is sealed with the key of that space.
   */
  async update({ document_id, ...changes }: DocumentChanges, context: UserContext): Promise<Document> {
    const { uow, indexing } = this.#parts
    const { user_id } = context.caller
    const { document, blob } = await this.#find(document_id, context)
    try {
      const { collections: shared } = await this.#requireRights(document, context)
      const { title = document.title, tags = document.tags, collection = document.collection } = changes
      const { group_id = document.group_id, is_private = document.is_private } = changes
      const space_id = spaceOf({ user_id: document.user_id, group_id, is_private })
      if (group_id !== null && group_id !== document.group_id) await this.#parts.access.require(context, group_id)
      const isMove = space_id !== document.space_id
      if (shared && (isMove || collection !== document.collection || group_id !== document.group_id)) throw staysThere()
      if (isMove) await this.#requireMove(document, space_id, context)
      const blob_id = isMove ? await this.#parts.store.copyTo(blob, space_id, context.signal) : document.blob_id
      const labels = { title, tags: [...new Set(tags)], collection, group_id, is_private }
      const edit = { document, next: { ...labels, space_id, blob_id } }
      const spaces = [...new Set([document.space_id, space_id])]
      const changed = await uow.in(shared ? [] : spaces, shared).write(async (repos) => {
        const row = await (isMove ? move(repos, edit, context) : relabel(repos, edit))
        await repos.labels.noteOf(space_id, [row])
        const act = changeOf(document_id, user_id, isMove ? 'document.move' : 'document.update', 'allowed')
        recordAudit(repos.outbox, ingestion.auditRecorded, act, context)
        return row
      })
      await indexing.bringUpToDate(spaces, { waitMs: INDEX_WAIT_MS })
      return toDocument(changed, shared)
    } catch (error) {
      if (error instanceof NotYourDocument) {
        const denied = changeOf(document_id, user_id, 'document.update', 'denied')
        await uow.in([user_id]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
      }
      throw error
    }
  }

  async #find(documentId: string, context: UserContext): Promise<{ document: DocumentRow; blob: BlobRow }> {
    const { uow, access } = this.#parts
    const { found, spaces } = await access.findReadable(context, ({ all, shared }) =>
      uow.in(all, shared).read(async ({ documents, blobs }) => {
        const document = await documents.get(documentId)
        const blob = document && (await blobs.get(document.blob_id))
        return document && blob && { document, blob }
      }),
    )
    if (!found) throw notFound(spaces, noDocument())
    return found
  }

  async #requireRights(document: DocumentRow, { caller }: UserContext): Promise<SpaceRights> {
    const rights = await whileGroupsAnswer(() => this.#parts.checkSpace(caller.user_id, document.space_id))
    if (!maySee(document, rights)) throw noDocument()
    requireMayChange(document, caller.user_id, rights)
    return rights
  }

  async #requireMove(document: DocumentRow, spaceId: string, { caller }: UserContext): Promise<void> {
    if (document.user_id !== caller.user_id)
      throw new AppError('NOT_AUTHORIZED', 'Only who brought this document may move it to another group or out of this one')
    const { allowed } = await whileGroupsAnswer(() => this.#parts.checkSpace(caller.user_id, spaceId))
    if (!allowed) throw noGroup()
  }
}

/** The title is part of what the search index holds of each passage, so the passages become those of a new version. */
async function relabel(repos: IngestionRepositories, { document, next }: Edit): Promise<DocumentRow> {
  const { id, space_id } = document
  const { seq } = await repos.index.next(space_id)
  const present = await lockAt(repos, document)
  if (present.collection !== null && next.collection !== present.collection)
    await repos.storeFiles.leave(space_id, id, present.collection)
  const labels = { ...next, path_hash: hashOutside(present, next) }
  if (next.title === present.title) return repos.documents.update(id, labels)
  await repos.documents.renewChunks(present)
  const renamed = await repos.documents.update(id, { ...labels, generation: present.generation + 1 })
  await repos.index.record(space_id, id, seq)
  const { bytes_size, chunk_count: chunks, user_id } = renamed
  repos.outbox.add(ingestion.documentIngested, { document_id: id, user_id, space_id, bytes_size, chunks, replaced: true })
  return renamed
}

/** A path that counted within a collection counts by itself once the document has left it: there it may come again. */
export function hashOutside(present: DocumentRow, next: Pick<DocumentRow, 'collection'>): string {
  const isOwn = present.path_hash === identityOf(present).path_hash
  return isOwn || present.collection === next.collection ? present.path_hash : pathHashWithin(present.id, present)
}

const staysThere = () =>
  new AppError(
    'NOT_AUTHORIZED',
    'You may change title and tags of this document; only those whose collection it is move it elsewhere',
  )

async function move(repos: IngestionRepositories, { document, next }: Edit, context: UserContext): Promise<DocumentRow> {
  const { id, space_id: from, path_hash } = document
  const { space_id: to } = next
  // In one order everywhere, so that two moves cannot wait for each other.
  const states = new Map<string, SpaceState>()
  for (const space of [from, to].toSorted()) states.set(space, await repos.index.next(space))
  const present = await lockAt(repos, document)
  if (states.get(to)?.erased_at !== null) throw noGroup()
  if (await repos.documents.getByPath(to, path_hash)) throw pathTaken()
  const hashes = await repos.traces.hashesOf(id)
  const moved = await repos.documents.update(id, { ...next, generation: present.generation + 1 })
  await repos.documents.renewChunks(present, to)
  await repos.storeFiles.leave(from, id)
  await repos.embeddings.copy(from, to, hashes)
  await repos.embeddings.deleteUnused(from, hashes)
  await repos.blobs.delete([present.blob_id])
  for (const [space, { seq }] of states) await repos.index.record(space, id, seq)
  const { bytes_size, chunk_count: chunks, user_id } = moved
  const facts = { document_id: id, user_id, space_id: to, from_space_id: from, bytes_size, chunks }
  repos.outbox.add(ingestion.documentMoved, facts, context)
  return moved
}

/** As it was found, but for changes of others that do not move or replace it. */
async function lockAt(repos: IngestionRepositories, { id, space_id, blob_id }: DocumentRow): Promise<DocumentRow> {
  const present = await repos.documents.lock(id)
  if (present?.space_id !== space_id) throw noDocument()
  if (present.blob_id !== blob_id) throw new AppError('CONFLICT', 'This document was replaced meanwhile; try again')
  return present
}

const noGroup = () => new AppError('GROUP_NOT_FOUND', 'There is no such group among yours; GET /v1/groups lists them')

const pathTaken = () =>
  new AppError('CONFLICT', 'There is a document with this path already; delete that one or give it another name first')
