import { AppError } from '@youworker/contracts/errors'
import type { RunFileRow } from '@youworker/database/owners/ingestion/tables'
import { CancelRequested, type JobEnded, RetryJob } from '@youworker/database/jobs/jobs'
import type { Logger } from '@youworker/runtime/logger'
import type { RunView } from '../../repositories/run-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { seenBy } from '../documents/document-path.ts'
import type { FencedWrite } from '../search/embedding-service.ts'
import type { CheckSpace, SpaceRights } from '../space-access.ts'
import type { Attempt } from './attempt.ts'
import type { BatchProcessor } from './batch-processor.ts'
import { LANES } from './create-batches.ts'
import { FileQueue, isDone } from './file-queue.ts'
import { finishRun } from './run-finisher.ts'

/** Codes of what is away, busy or full, and may be back by itself. */
const PASSING: ReadonlySet<string> = new Set([
  'SERVICE_UNAVAILABLE',
  'CIRCUIT_OPEN',
  'DEADLINE_EXCEEDED',
  'EXTERNAL_SERVICE_ERROR',
])
/** About an hour, with the worker's pauses. */
const MOST_WAITS = 60

interface RunJob {
  readonly id: string
  readonly user_id: string
}

interface ProcessorDependencies {
  readonly uow: IngestionUnitOfWork
  readonly batches: BatchProcessor
  readonly checkSpace: CheckSpace
  readonly logger: Logger
}

/** Ingests the files of a run, several batches at a time, and skips those that an earlier attempt has finished. */
export class RunProcessor {
  readonly #uow: IngestionUnitOfWork
  readonly #batches: BatchProcessor
  readonly #checkSpace: CheckSpace
  readonly #logger: Logger

  constructor({ uow, batches, checkSpace, logger }: ProcessorDependencies) {
    this.#uow = uow
    this.#batches = batches
    this.#checkSpace = checkSpace
    this.#logger = logger
  }

  async process(job: RunJob, { attempt: number, signal }: { attempt: number; signal: AbortSignal }): Promise<JobEnded> {
    const attempt = await this.#begin(job, number, signal)
    if (!attempt) return this.#drop(job)
    try {
      await attempt.requireAccess()
      await this.#work(attempt)
      return await attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: number }))
    } catch (error) {
      if (!signal.aborted) throw await this.#mayPass(attempt, error)
      if (!(signal.reason instanceof CancelRequested)) throw signal.reason
      return attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: number, cancelled: true }))
    }
  }

  /** What may pass by itself is waited for, much longer than an error that nobody knows: the tries do not count until there are many. */
  async #mayPass({ run, write }: Attempt, error: unknown): Promise<unknown> {
    if (!(error instanceof AppError) || !PASSING.has(error.code)) return error
    const tries = await write(({ runs }) => runs.countWait(run.id))
    if (tries > MOST_WAITS) return error
    this.#logger.warn({ err: error, run_id: run.id, tries }, 'a run waits for what it needs')
    return new RetryJob(error.message, { tries, cause: error })
  }

  /** Ends a run whose last attempt failed. */
  async giveUp(job: RunJob & { readonly attempt: number }, reason: string): Promise<JobEnded> {
    const attempt = await this.#begin(job, job.attempt, new AbortController().signal)
    if (!attempt) return this.#drop(job)
    return attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: job.attempt, reason }))
  }

  #drop({ id, user_id }: RunJob): Promise<JobEnded> {
    this.#logger.warn({ run_id: id }, 'a job without its run was dropped')
    return this.#uow.in([user_id]).write(({ jobs }) => jobs.delete(id))
  }

  async #begin({ id, user_id }: RunJob, number: number, signal: AbortSignal): Promise<Attempt | undefined> {
    const before = await this.#uow.in([user_id]).read(({ runs }) => runs.get(id, user_id))
    if (!before) return undefined
    const scope = this.#uow.in(...seenBy(before))
    const write: FencedWrite = (work) =>
      scope.write(async (repos) => {
        await repos.jobs.fence(id, number)
        return work(repos)
      })
    const run = await write(async ({ runs }) => {
      await runs.markStarted(id)
      return (await runs.get(id, user_id)) ?? before
    })
    return { run, number, signal, read: (work) => scope.read(work), write, requireAccess: () => this.#requireAccess(run) }
  }

  /** Once one batch has failed no other is begun; those at work come to their end. */
  async #work(attempt: Attempt): Promise<void> {
    const { run } = attempt
    const files = await this.#uow.in([run.user_id]).read(({ runs }) => runs.files(run.id))
    const queue = new FileQueue(files)
    const counts = { done: files.filter(isDone).length, total: files.length }
    const failures: unknown[] = []
    const lane = async () => {
      while (failures.length === 0) {
        const batch = await queue.next()
        if (!batch) return
        await this.#ingest(attempt, batch, counts).catch((error: unknown) => failures.push(error))
        queue.done(batch)
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    attempt.signal.throwIfAborted()
    if (failures.length > 0) throw failures[0]
  }

  async #ingest(attempt: Attempt, batch: readonly RunFileRow[], counts: { done: number; total: number }): Promise<void> {
    const { run, number, signal, write } = attempt
    signal.throwIfAborted()
    try {
      await this.#batches.process(attempt, batch)
    } catch (error) {
      if (!signal.aborted) await this.#interrupted(attempt, batch, error)
      throw error
    }
    counts.done += batch.length
    const { done: current, total } = counts
    await write(async ({ jobs, runs }) => {
      await jobs.progress(run.id, number, { current, total, stage: 'indexing' })
      if (run.waits > 0) await runs.forgetWaits(run.id)
    })
  }

  async #interrupted({ run, number, write }: Attempt, batch: readonly RunFileRow[], error: unknown): Promise<void> {
    const message = error instanceof AppError ? error.message : 'something went wrong inside'
    const failure = { at: new Date().toISOString(), attempt: number, error: message }
    const note = write(({ stages }) =>
      stages.interrupt(
        run.id,
        batch.map(({ index }) => index),
        failure,
      ),
    )
    // The failure itself is what counts: the database may be what is away.
    await note.catch((cause: unknown) => this.#logger.debug({ err: cause, run_id: run.id }, 'an interruption was not noted'))
  }

  /** The rights in the group, which the user may have left since the run was started, or in the collection of others. */
  async #requireAccess({ user_id, target_space_id, collection_id }: RunView): Promise<SpaceRights> {
    const { allowed, ...rights } = await this.#checkSpace(user_id, target_space_id)
    if (allowed) return rights
    if (rights.collections?.some(({ id, role }) => id === collection_id && role === 'writer')) return rights
    if (collection_id !== null)
      throw new AppError('COLLECTION_NOT_FOUND', 'you may not write to this collection any more; nothing more was added to it')
    throw new AppError('GROUP_NOT_FOUND', 'you are not a member of this group any more; nothing more was added to it')
  }
}
