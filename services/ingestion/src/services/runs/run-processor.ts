import { setTimeout as sleep } from 'node:timers/promises'
import { TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { Role } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import type { Stage } from '@youworker/contracts/documents/runs'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { RunFileRow } from '@youworker/database/owners/ingestion/tables'
import { CancelRequested, type JobEnded } from '@youworker/database/jobs/jobs'
import { newTraceparent } from '@youworker/runtime/correlation'
import { currentRequest } from '@youworker/runtime/current-request'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { Logger } from '@youworker/runtime/logger'
import type { RunView } from '../../repositories/run-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { spacesOf } from '../documents/document-path.ts'
import { changeOf, NotYourDocument } from '../documents/document-rights.ts'
import type { FencedWrite } from '../search/embedding-service.ts'
import type { FileIngester } from './file-ingester.ts'
import type { IndexService } from '../search/index-service.ts'
import { finishRun } from './run-finisher.ts'
import type { CheckSpace } from '../space-access.ts'

interface RunJob {
  readonly id: string
  readonly user_id: string
}

interface ProcessorDependencies {
  readonly uow: IngestionUnitOfWork
  readonly ingester: FileIngester
  readonly indexing: IndexService
  readonly checkSpace: CheckSpace
  readonly space: FreeSpace
  readonly logger: Logger
}

/** One attempt at a run. `write` throws when another attempt has taken the run over. */
interface Attempt {
  readonly run: RunView
  readonly number: number
  readonly signal: AbortSignal
  readonly write: FencedWrite
}

/** Shortest time between two progress reports of one stage, in ms. */
const REPORT_EVERY = 500
const LOOK_FOR_ROOM_MS = 1_000

/** Ingests the files of a run one after the other and skips those that an earlier attempt has finished. */
export class RunProcessor {
  readonly #uow: IngestionUnitOfWork
  readonly #ingester: FileIngester
  readonly #indexing: IndexService
  readonly #checkSpace: CheckSpace
  readonly #space: FreeSpace
  readonly #logger: Logger

  constructor({ uow, ingester, indexing, checkSpace, space, logger }: ProcessorDependencies) {
    this.#uow = uow
    this.#ingester = ingester
    this.#indexing = indexing
    this.#checkSpace = checkSpace
    this.#space = space
    this.#logger = logger
  }

  async process(job: RunJob, { attempt: number, signal }: { attempt: number; signal: AbortSignal }): Promise<JobEnded> {
    const attempt = await this.#begin(job, number, signal)
    if (!attempt) return this.#drop(job)
    try {
      await this.#requireAccess(attempt.run)
      await this.#work(attempt)
      return await attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: number }))
    } catch (error) {
      if (!signal.aborted) throw error
      if (!(signal.reason instanceof CancelRequested)) throw signal.reason
      return attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: number, cancelled: true }))
    }
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
    const scope = this.#uow.in(spacesOf(before))
    const write: FencedWrite = (work) =>
      scope.write(async (repos) => {
        await repos.jobs.fence(id, number)
        return work(repos)
      })
    const run = await write(async ({ runs }) => {
      await runs.markStarted(id)
      return (await runs.get(id, user_id)) ?? before
    })
    return { run, number, signal, write }
  }

  async #work(attempt: Attempt): Promise<void> {
    const { run, signal } = attempt
    const files = await this.#uow.in([run.user_id]).read(({ runs }) => runs.files(run.id))
    let done = files.filter(isDone).length
    const behind: unknown[] = []
    for (const file of files) {
      if (isDone(file)) continue
      signal.throwIfAborted()
      if (file.status !== 'success') {
        await this.#untilRoom(attempt, file)
        await this.#ingest(attempt, file, { done, total: files.length })
      }
      try {
        await this.#indexing.bringUpToDate([run.target_space_id], { signal })
      } catch (error) {
        // The document is committed and the index can follow later, so the other files go on.
        signal.throwIfAborted()
        behind.push(error)
        continue
      }
      done += 1
      await attempt.write(async ({ runs, jobs }) => {
        await runs.completeFile(run.id, file.index)
        await jobs.progress(run.id, attempt.number, { current: done, total: files.length, stage: 'indexing' })
      })
    }
    if (behind.length > 0) throw behind[0]
  }

  /** While the disk is nearly full a run waits, and its next file says so. */
  async #untilRoom({ run, signal, write }: Attempt, file: RunFileRow): Promise<void> {
    const why = await this.#space.shortage()
    if (why === undefined) return
    const show = (error: string | null) => write(({ runs }) => runs.updateFile(run.id, file.index, { error }))
    await show(why)
    while ((await this.#space.shortage()) !== undefined) await sleep(LOOK_FOR_ROOM_MS, undefined, { signal })
    await show(null)
  }

  /** The role in the group, which the user may have left since the run was started. */
  async #requireAccess({ user_id, target_space_id }: RunView): Promise<Role | undefined> {
    const { allowed, role } = await this.#checkSpace(user_id, target_space_id)
    if (allowed) return role
    throw new AppError('GROUP_NOT_FOUND', 'you are not a member of this group any more; nothing more was added to it')
  }

  /** An unreadable file fails alone. A dependency that does not answer fails the attempt, which the worker repeats. */
  async #ingest(attempt: Attempt, file: RunFileRow, counts: { done: number; total: number }): Promise<void> {
    const { run, signal, write } = attempt
    const report = this.#reporter(attempt, file, counts)
    try {
      await this.#ingester.ingest({ run, file, signal, write, report, requireAccess: () => this.#requireAccess(run) })
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError) || !isOfFile(error)) throw error
      this.#logger.info({ run_id: run.id, file: file.index, code: error.code }, 'a file of a run failed')
      await write(async ({ runs, outbox }) => {
        await runs.updateFile(run.id, file.index, { status: 'failed', error: error.message })
        if (!(error instanceof NotYourDocument)) return
        const denied = changeOf(error.document_id, run.user_id, 'document.replace', 'denied')
        const { correlationId = run.id, traceparent = newTraceparent() } = currentRequest()
        recordAudit(outbox, ingestion.auditRecorded, denied, { correlationId, traceparent })
      })
    }
  }

  #reporter({ run, number, write }: Attempt, file: RunFileRow, { done, total }: { done: number; total: number }) {
    let last: { stage: Stage; at: number } | undefined
    return async (stage: Stage, percent: number): Promise<void> => {
      const now = Date.now()
      if (last?.stage === stage && now - last.at < REPORT_EVERY) return
      last = { stage, at: now }
      await write(async ({ runs, jobs }: IngestionRepositories) => {
        await runs.updateFile(run.id, file.index, { status: 'running', stage, percent: Math.round(percent) })
        await jobs.progress(run.id, number, { current: done, total, stage })
      })
    }
  }
}

const isDone = ({ status, stage }: RunFileRow): boolean => TERMINAL.includes(status) && (status !== 'success' || stage === 'done')

const isOfFile = ({ code }: AppError): boolean => ERROR_STATUS[code] < 500 || code === 'LLM_ERROR'
