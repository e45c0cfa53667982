import type { Attributes } from '@youworker/contracts/documents/attribute-filter'
import type { RowPage } from '@youworker/contracts/documents/stored-files'
import { ingestion } from '@youworker/contracts/ingestion'
import type { FileStatus, StoreFile } from '@youworker/contracts/documents/vector-stores'
import type { CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { ChunkSize } from '../../chunking/chunk-document.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { hashOutside } from '../documents/document-editor.ts'
import { requireMayChange } from '../documents/document-rights.ts'
import { type CheckSpace, whileGroupsAnswer } from '../space-access.ts'
import { attachFiles, type FileToAttach, lockStore } from './attach-files.ts'
import { noBatch, noFileInStore, noStore, type StoreAccess } from './store-access.ts'
import { sealAttributes, toStoreFile } from './store-view.ts'

interface StoreFileParts {
  readonly uow: IngestionUnitOfWork
  readonly stores: StoreAccess
  readonly checkSpace: CheckSpace
  readonly sealer: Sealer
  readonly space: FreeSpace
  readonly chunks: ChunkSize
  readonly wake: () => void
}

interface OneFile {
  readonly store_id: string
  readonly file_id: string
}

interface FilePage extends RowPage {
  readonly store_id: string
  readonly batch_id?: string | undefined
  readonly status?: FileStatus | undefined
}

/** The files of vector stores: put into one, read, told of and taken out. */
export class StoreFileService {
  readonly #parts: StoreFileParts

  constructor(parts: StoreFileParts) {
    this.#parts = parts
  }

  async attach(
    { store_id, files }: { readonly store_id: string; readonly files: readonly FileToAttach[] },
    context: UserContext,
  ) {
    const { uow, stores, sealer: sealers, space, wake } = this.#parts
    const { user_id } = context.caller
    const found = await stores.find(store_id, context)
    const { space_id } = found
    await space.require()
    const sealer = await sealers.forSpace(space_id)
    const call = { user_id, subject: ingestion.attachFile.subject, key: context.idempotencyKey, request: { store_id, files } }
    const { file_id } = await uow.in([...new Set([space_id, user_id])]).write((repos) =>
      repos.idempotency.once(call, async () => {
        await attachFiles(repos, await lockStore(repos, found), { files, user_id, sealer })
        return { file_id: files[0]?.file_id ?? '' }
      }),
    )
    wake()
    return this.get({ store_id, file_id }, context)
  }

  async list({ store_id, after, before, ...page }: FilePage, context: UserContext) {
    const { stores, sealer: sealers } = this.#parts
    const store = await stores.find(store_id, context)
    const { rows, has_more } = await stores.read([store], context, async (repos) => {
      const { batch_id } = page
      if (batch_id !== undefined && (await repos.fileBatches.get(batch_id, store.space_id))?.collection_id !== store_id)
        throw noBatch()
      const positionOf = async (id: string | undefined) => {
        const position = id === undefined ? undefined : await repos.storeFiles.position(store, id)
        if (id !== undefined && !position) throw noFileInStore()
        return position
      }
      return repos.storeFiles.list(store, { ...page, after: await positionOf(after), before: await positionOf(before) })
    })
    const sealer = await sealers.forSpace(store.space_id)
    return { files: rows.map((row) => toStoreFile(row, store_id, sealer)), has_more, chunking: this.#chunking }
  }

  async get({ store_id, file_id }: OneFile, context: UserContext) {
    const store = await this.#parts.stores.find(store_id, context)
    return { file: await this.#file(store, file_id, context), chunking: this.#chunking }
  }

  async update({ store_id, file_id, attributes }: OneFile & { readonly attributes: Attributes }, context: UserContext) {
    const store = await this.#parts.stores.find(store_id, context)
    const sealer = await this.#parts.sealer.forSpace(store.space_id)
    await this.#change(store, file_id, context, ({ storeFiles }) => {
      const { user_id } = context.caller
      const sealed = sealAttributes(sealer, store_id, file_id, attributes)
      const run = { run_id: null, run_index: null, refused: null }
      const file = { collection_id: store_id, document_id: file_id, space_id: store.space_id, user_id, ...run }
      return storeFiles.setAttributes({ ...file, attributes: sealed })
    })
    return this.get({ store_id, file_id }, context)
  }

  async detach({ store_id, file_id }: OneFile, context: UserContext): Promise<Record<string, never>> {
    const store = await this.#parts.stores.find(store_id, context)
    await this.#change(store, file_id, context, async ({ storeFiles, documents }) => {
      await storeFiles.remove(store_id, store.space_id, file_id)
      const document = await documents.get(file_id)
      const outside = { collection: null }
      if (document?.collection === store.name)
        await documents.update(file_id, { ...outside, path_hash: hashOutside(document, outside) })
    })
    return {}
  }

  /** By who may change the document. */
  async #change(
    store: CollectionRow,
    fileId: string,
    context: UserContext,
    work: (repos: IngestionRepositories) => Promise<void>,
  ): Promise<void> {
    const { uow, checkSpace } = this.#parts
    const { user_id } = context.caller
    const { space_id } = store
    await this.#file(store, fileId, context)
    const { allowed, ...rights } = await whileGroupsAnswer(() => checkSpace(user_id, space_id))
    if (!allowed) throw noStore()
    await uow.in([space_id]).write(async (repos) => {
      await lockStore(repos, store)
      const [document] = await repos.storeFiles.lockDocuments(space_id, [fileId])
      if (!document) throw noFileInStore()
      requireMayChange(document, user_id, rights)
      await work(repos)
    })
  }

  async #file(store: CollectionRow, fileId: string, context: UserContext): Promise<StoreFile> {
    const { stores, sealer } = this.#parts
    const row = await stores.read([store], context, ({ storeFiles }) => storeFiles.get(store, fileId))
    if (!row) throw noFileInStore()
    return toStoreFile(row, store.id, await sealer.forSpace(store.space_id))
  }

  get #chunking() {
    const { tokens: chunk_tokens, overlap: chunk_overlap } = this.#parts.chunks
    return { chunk_tokens, chunk_overlap }
  }
}
