import { ingestion } from '@youworker/contracts/ingestion'
import type { FileBatch, FileCounts, FileStatus } from '@youworker/contracts/documents/vector-stores'
import type { BatchRow, CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { requestCancel } from '../runs/run-finisher.ts'
import { attachFiles, type FileToAttach, lockStore } from './attach-files.ts'
import { noBatch, type StoreAccess } from './store-access.ts'
import { countsOf } from './store-view.ts'

interface BatchParts {
  readonly uow: IngestionUnitOfWork
  readonly stores: StoreAccess
  readonly sealer: Sealer
  readonly space: FreeSpace
  readonly wake: () => void
}

interface OneBatch {
  readonly store_id: string
  readonly batch_id: string
}

/** Files that are put into a vector store together, all or none. */
export class BatchService {
  readonly #parts: BatchParts

  constructor(parts: BatchParts) {
    this.#parts = parts
  }

  async create(
    { store_id, files }: { readonly store_id: string; readonly files: readonly FileToAttach[] },
    context: UserContext,
  ): Promise<FileBatch> {
    const { uow, stores, sealer: sealers, space, wake } = this.#parts
    const { user_id } = context.caller
    const found = await stores.find(store_id, context)
    const { space_id } = found
    await space.require()
    const sealer = await sealers.forSpace(space_id)
    const call = { user_id, subject: ingestion.createBatch.subject, key: context.idempotencyKey, request: { store_id, files } }
    const { batch_id } = await uow.in([...new Set([space_id, user_id])]).write((repos) =>
      repos.idempotency.once(call, async () => {
        const run_ids = await attachFiles(repos, await lockStore(repos, found), { files, user_id, sealer })
        const id = newId()
        const documents = [...new Set(files.map(({ file_id }) => file_id))]
        await repos.fileBatches.add({ id, collection_id: store_id, space_id, user_id, run_ids }, documents)
        return { batch_id: id }
      }),
    )
    wake()
    return this.get({ store_id, batch_id }, context)
  }

  async get({ store_id, batch_id }: OneBatch, context: UserContext): Promise<FileBatch> {
    return this.#read(await this.#parts.stores.find(store_id, context), batch_id, context)
  }

  async cancel({ store_id, batch_id }: OneBatch, context: UserContext): Promise<FileBatch> {
    const { uow, stores, wake } = this.#parts
    const { user_id } = context.caller
    const store = await stores.find(store_id, context)
    await uow.in([...new Set([store.space_id, user_id])]).write(async (repos) => {
      const batch = await repos.fileBatches.get(batch_id, store.space_id)
      if (batch?.collection_id !== store_id || batch.user_id !== user_id) throw noBatch()
      const isOver = statusOf(batch, countsOf(await repos.fileBatches.use(batch))) !== 'in_progress'
      if (isOver) return
      await repos.fileBatches.cancel(batch_id, store.space_id)
      for (const run_id of batch.run_ids) {
        const run = await repos.runs.lock(run_id, user_id)
        if (run) await requestCancel(repos, run)
      }
    })
    wake()
    return this.#read(store, batch_id, context)
  }

  #read(store: CollectionRow, batchId: string, context: UserContext): Promise<FileBatch> {
    return this.#parts.stores.read([store], context, async ({ fileBatches }) => {
      const batch = await fileBatches.get(batchId, store.space_id)
      if (batch?.collection_id !== store.id) throw noBatch()
      const { id, created_at } = batch
      const file_counts = countsOf(await fileBatches.use(batch))
      return { id, store_id: store.id, created_at, status: statusOf(batch, file_counts), file_counts }
    })
  }
}

function statusOf({ cancelled_at }: BatchRow, { in_progress, completed, failed, cancelled }: FileCounts): FileStatus {
  if (in_progress > 0) return 'in_progress'
  if (cancelled_at !== null) return 'cancelled'
  return failed > 0 && completed + cancelled === 0 ? 'failed' : 'completed'
}
