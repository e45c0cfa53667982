import { CancelRequested, type JobEnded, type JobRow } from '@youworker/database/jobs/jobs'
import type { LabelChange } from '../../repositories/label-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { CheckSpace } from '../space-access.ts'

interface ChangerParts {
  readonly uow: IngestionUnitOfWork
  readonly checkSpace: CheckSpace
}

type LabelJob = Pick<JobRow, 'id' | 'user_id' | 'space_id' | 'progress_total'>

const BATCH = 500

/** Gives the documents of a space their changed labels, batch by batch; an attempt after a crash goes on with those that are left. */
export class LabelChanger {
  readonly #parts: ChangerParts

  constructor(parts: ChangerParts) {
    this.#parts = parts
  }

  async run(job: LabelJob, { attempt, signal }: { attempt: number; signal: AbortSignal }): Promise<JobEnded> {
    const scope = this.#parts.uow.inWithDeleted([job.space_id])
    const change = await scope.read(({ labels }) => labels.change(job.id))
    const { allowed } = await this.#parts.checkSpace(job.user_id, job.space_id)
    if (!allowed) return this.giveUp({ ...job, attempt }, 'You are not in this group any more; its labels stay as they are.')
    try {
      let done = 0
      for (let batch = BATCH; change && batch === BATCH;) {
        signal.throwIfAborted()
        batch = await scope.write(async ({ jobs, labels }) => {
          await jobs.fence(job.id, attempt)
          const changed = await labels.apply(change, BATCH)
          done += changed
          const total = Math.max(job.progress_total, done)
          await jobs.progress(job.id, attempt, { current: done, total, stage: 'relabelling' })
          return changed
        })
      }
      return await scope.write(async ({ jobs, labels }) => {
        await labels.endChange(job.id)
        return jobs.finish(job.id, attempt, { status: 'success' })
      })
    } catch (error) {
      if (!(signal.reason instanceof CancelRequested)) throw error
      return this.#end({ ...job, attempt }, change, 'cancelled')
    }
  }

  /** The documents that are left keep the label, so it is there again. */
  async giveUp(job: Pick<LabelJob, 'id' | 'space_id'> & { readonly attempt: number }, reason: string): Promise<JobEnded> {
    const change = await this.#parts.uow.in([job.space_id]).read(({ labels }) => labels.change(job.id))
    return this.#end(job, change, 'failed', reason)
  }

  #end(
    { id, space_id, attempt }: Pick<LabelJob, 'id' | 'space_id'> & { readonly attempt: number },
    change: LabelChange | undefined,
    status: 'cancelled' | 'failed',
    error?: string,
  ): Promise<JobEnded> {
    return this.#parts.uow.in([space_id]).write(async ({ jobs, labels }) => {
      if (change) await labels.note(change.kind === 'tag' ? 'tags' : 'collections', space_id, [change.old_name])
      await labels.endChange(id)
      return jobs.finish(id, attempt, { status, error })
    })
  }
}
