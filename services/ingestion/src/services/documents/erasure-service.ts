import { ingestion } from '@youworker/contracts/ingestion'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { Logger } from '@youworker/runtime/logger'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { Indexing } from '../search/index-service.ts'
import { LABELS_KIND } from '../labels/label-service.ts'
import { requestCancel } from '../runs/run-finisher.ts'

interface ErasureDependencies {
  readonly uow: IngestionUnitOfWork
  readonly sealer: Sealer
  readonly indexing: Indexing
  readonly logger: Logger
}

const SWEEP_BATCH = 50

/** Erases what a deleted group or user had and files that nothing uses, and ends a former member's runs. */
export class ErasureService {
  readonly #uow: IngestionUnitOfWork
  readonly #sealer: Sealer
  readonly #indexing: Indexing
  readonly #logger: Logger

  constructor({ uow, sealer, indexing, logger }: ErasureDependencies) {
    this.#uow = uow
    this.#sealer = sealer
    this.#indexing = indexing
    this.#logger = logger
  }

  /** A second delivery with the same `eventId` does nothing. */
  async groupDeleted({ group_id: groupId, user_id: by }: { group_id: string; user_id: string }, eventId: string): Promise<void> {
    await this.#uow.system().write(async (repos) => {
      if (!(await repos.inbox.first(eventId))) return
      await cancelRuns(repos, await repos.runs.active(groupId))
      const traces = { space_id: [groupId] }
      const removed = await repos.traces.count(traces)
      await eraseSpace(repos, groupId)
      const what = { kind: 'group', target_id: groupId, reason: 'group', deleted_at: null } as const
      await repos.receipts.add({ ...what, readers: [by], removed, traces })
    })
    await this.#sealer.forget(groupId)
    await this.#indexing.forget(groupId)
  }

  /**
   * Erases a deleted user's own space and runs, and what they were uploading. What they had shared with a group is the group's and
   * stays. A repeat finds nothing left.
   */
  async userDeleted(userId: string): Promise<void> {
    await this.#uow.system().write(async (repos) => {
      await eraseSpace(repos, userId)
      // A worker that holds one of the jobs loses it and writes nothing more.
      for (const { id } of await repos.runs.lockOfUser(userId)) {
        await repos.jobs.delete(id)
        await repos.runs.delete(id)
      }
      await repos.blobs.deleteUnused(userId)
      await repos.idempotency.forget(userId)
      await repos.receipts.forget(userId)
      await repos.grants.forget(userId)
      await repos.jobs.deleteOfUser(userId, LABELS_KIND)
    })
    await this.#sealer.forget(userId)
    await this.#indexing.forget(userId)
  }

  /** What others were let into of a deleted group is not found either, until it is restored. */
  async groupHidden(groupId: string, isHidden: boolean, eventId: string): Promise<void> {
    await this.#uow.system().write(async ({ inbox, grants }) => {
      if (await inbox.first(eventId)) await grants.pause(groupId, isHidden)
    })
  }

  /** Ends the runs of a former member, who may not write to the group any more. */
  async memberRemoved(membership: { group_id: string; user_id: string }, eventId: string): Promise<void> {
    await this.#uow.system().write(async (repos) => {
      if (!(await repos.inbox.first(eventId))) return
      await cancelRuns(repos, await repos.runs.active(membership.group_id, membership.user_id))
    })
  }

  /** Erases files that no document and no run needs. */
  async sweep(): Promise<void> {
    let swept = 0
    for (let batch = SWEEP_BATCH; batch === SWEEP_BATCH; swept += batch) {
      batch = await this.#uow.system().write(({ blobs }) => blobs.sweep(SWEEP_BATCH))
    }
    await this.#uow.system().write(({ index }) => index.prune())
    await this.#uow.system().write(({ stages }) => stages.sweep())
    if (swept > 0) this.#logger.info({ files: swept }, 'unused files were erased')
  }
}

async function cancelRuns(repos: IngestionRepositories, runIds: readonly { id: string; user_id: string }[]): Promise<void> {
  for (const { id, user_id } of runIds) {
    const run = await repos.runs.lock(id, user_id)
    if (run) await requestCancel(repos, run)
  }
}

/** Locks the space's counter first: an ingestion commits before that, or finds the space erased. */
async function eraseSpace(repos: IngestionRepositories, space_id: string): Promise<void> {
  await repos.index.next(space_id)
  for (const { id: document_id, user_id } of await repos.documents.ofSpace(space_id)) {
    repos.outbox.add(ingestion.documentDeleted, { document_id, user_id, space_id })
  }
  await repos.documents.deleteSpace(space_id)
  await repos.stages.dropSpace(space_id)
  await repos.embeddings.deleteSpace(space_id)
  await repos.blobs.deleteSpace(space_id)
  await repos.labels.deleteSpace(space_id)
  await repos.index.markErased(space_id)
}
