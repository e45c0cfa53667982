import { ingestion } from '@youworker/contracts/ingestion'
import type { Logger } from '@youworker/runtime/logger'
import type { IngestionUnitOfWork } from '../unit-of-work.ts'

interface Parts {
  readonly uow: IngestionUnitOfWork
  readonly logger: Logger
  readonly keepDays: number
}

const BATCH = 50

/** Deletes files whose time is over, as their owner would: they can be restored for a while. One that fails does not keep the others. */
export async function deleteExpiredFiles({ uow, logger, keepDays }: Parts): Promise<void> {
  for (const { id, space_id } of await uow.system().read(({ files }) => files.expired(BATCH)))
    await uow
      .system()
      .write(async (repos) => {
        // The space before the document, in the order of the ingester, so that they cannot deadlock.
        const { seq } = await repos.index.next(space_id)
        const document = await repos.documents.lock(id)
        if (!document || document.deleted_at !== null || document.expires_at === null) return
        const { user_id } = document
        await repos.files.forgetExpiry(id)
        await repos.deletions.hide('documents', id, { by: user_id, keepDays })
        await repos.index.record(space_id, id, seq)
        repos.outbox.add(ingestion.documentSoftDeleted, { document_id: id, user_id, space_id })
      })
      .catch((error: unknown) =>
        logger.warn({ err: error, document_id: id }, 'an expired file was not deleted; it is tried again'),
      )
}
