import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { SourcePageRow, SourceRow } from '@youworker/database/owners/ingestion/tables'
import { CancelRequested, type JobEnded } from '@youworker/database/jobs/jobs'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { Logger } from '@youworker/runtime/logger'
import type { RunView } from '../../repositories/run-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { seenBy } from '../documents/document-path.ts'
import { finishRun } from '../runs/run-finisher.ts'
import { asFile, queueOf, RUN_KIND } from '../runs/run-starter.ts'
import type { FencedWrite } from '../search/embedding-service.ts'
import type { CheckSpace } from '../space-access.ts'
import { checkGathered, failedRow } from './gathered-rows.ts'
import type { GatheredFile, SourceFiles } from './source-files.ts'

interface GatherJob {
  readonly id: string
  readonly user_id: string
  readonly attempt: number
}

interface GathererDependencies {
  readonly uow: IngestionUnitOfWork
  readonly checkSpace: CheckSpace
  readonly space: FreeSpace
  readonly logger: Logger
  readonly open: (source: SourceRow, run: RunView, signal: AbortSignal) => SourceFiles
  /** Workers take the run at once. */
  readonly wake: () => void
}

/** One attempt. `write` throws when another attempt has taken the run over. */
interface Attempt {
  readonly run: RunView
  readonly number: number
  readonly signal: AbortSignal
  readonly write: FencedWrite
}

const LOOK_FOR_ROOM_MS = 1_000
/** Links that a crawl remembers, for each page that it may fetch. */
const KNOWN_PER_PAGE = 5

/**
 * Fetches the files of a run from its source, then hands the run over to be ingested like an upload. Each file that is stored and all
 * that was found with it are written in one transaction, so another worker goes on behind it.
 */
export class Gatherer {
  readonly #deps: GathererDependencies

  constructor(deps: GathererDependencies) {
    this.#deps = deps
  }

  async process(job: GatherJob, { signal }: { signal: AbortSignal }): Promise<JobEnded> {
    const begun = await this.#begin(job, signal)
    if (!begun) return this.#drop(job)
    const { attempt, source } = begun
    try {
      await this.#requireAccess(attempt.run)
      const gathered = await this.#gather(attempt, source, this.#deps.open(source, attempt.run, signal))
      return await this.#end(attempt, gathered)
    } catch (error) {
      if (!signal.aborted) throw error
      if (!(signal.reason instanceof CancelRequested)) throw signal.reason
      return attempt.write((repos) => finishRun(repos, { run: attempt.run, attempt: job.attempt, cancelled: true }))
    }
  }

  /** Ends a run whose last attempt failed. */
  async giveUp(job: GatherJob, reason: string): Promise<JobEnded> {
    const begun = await this.#begin(job, new AbortController().signal)
    if (!begun) return this.#drop(job)
    const { attempt, source } = begun
    return attempt.write(async (repos) => {
      const { length } = await repos.runs.files(job.id)
      // A run of no files would count as a success.
      if (length === 0) await repos.runs.addFiles(attempt.run, [failedRow(0, nameless(source), reason)])
      return finishRun(repos, { run: attempt.run, attempt: job.attempt, reason })
    })
  }

  #drop({ id, user_id }: GatherJob): Promise<JobEnded> {
    this.#deps.logger.warn({ run_id: id }, 'a job without its run was dropped')
    return this.#deps.uow.in([user_id]).write(({ jobs }) => jobs.delete(id))
  }

  async #begin({ id, user_id, attempt: number }: GatherJob, signal: AbortSignal) {
    const { uow } = this.#deps
    const found = await uow.in([user_id]).read(async ({ runs, sources }) => {
      return { run: await runs.get(id, user_id), source: await sources.get(id, user_id) }
    })
    const { run, source } = found
    if (!run || !source) return undefined
    const scope = uow.in(...seenBy(run))
    const write: FencedWrite = (work) =>
      scope.write(async (repos) => {
        await repos.jobs.fence(id, number)
        return work(repos)
      })
    await write(({ runs }) => runs.markStarted(id))
    const attempt: Attempt = { run, number, signal, write }
    return { attempt, source }
  }

  async #requireAccess({ user_id, target_space_id }: RunView): Promise<void> {
    const { allowed } = await this.#deps.checkSpace(user_id, target_space_id)
    if (!allowed) throw new AppError('GROUP_NOT_FOUND', 'you are not a member of this group any more; nothing was added to it')
  }

  /** Returns how many files are stored or failed. */
  async #gather(attempt: Attempt, source: SourceRow, files: SourceFiles): Promise<number> {
    const { run, signal } = attempt
    const { known, count } = await this.#load(attempt, source, files)
    const targets = new Set(known.map(({ target }) => target))
    let fetched = count
    for (let at = 0; at < known.length && fetched < files.maxFiles; at += 1) {
      const page = known[at]
      if (!page || page.is_done) continue
      await this.#untilRoom(signal)
      const file = await this.#fetch(page, files, targets)
      signal.throwIfAborted()
      const found = file instanceof AppError ? [] : (file?.links ?? []).filter(({ target }) => !targets.has(target))
      const more = found.slice(0, Math.max(0, files.maxFiles * KNOWN_PER_PAGE - known.length))
      const from = known.length
      const index = fetched
      if (file !== undefined) fetched += 1
      const total = Math.min(files.maxFiles, known.length + more.length)
      await attempt.write(async (repos) => {
        if (file instanceof AppError) await repos.runs.addFiles(run, [failedRow(index, files.nameOf(page.target), file.message)])
        else if (file) {
          const checked = await checkGathered(file)
          await repos.runs.addFiles(run, [asFile(checked, index)])
          if (checked.check.code === undefined) await repos.blobs.markUsed([file.blob.id])
          else await repos.blobs.delete([file.blob.id])
        }
        await repos.sources.closePage(run.id, run.space_id, page.n)
        await repos.sources.addPages(source, from, more)
        await repos.jobs.progress(run.id, attempt.number, { current: fetched, total, stage: 'fetching' })
      })
      for (const [n, { target, depth }] of more.entries()) {
        targets.add(target)
        known.push({ run_id: run.id, space_id: run.space_id, n: from + n, target, depth, is_done: false })
      }
    }
    return fetched
  }

  /** What an earlier attempt found, or else the beginning. */
  async #load({ run, write }: Attempt, source: SourceRow, files: SourceFiles) {
    const read = () =>
      this.#deps.uow.in([run.user_id]).read(async ({ sources, runs }) => {
        return { known: await sources.pages(run.id, run.space_id), count: (await runs.files(run.id)).length }
      })
    const before = await read()
    if (before.known.length > 0) return before
    const first = await files.first()
    await write(({ sources }) => sources.addPages(source, 0, first))
    return read()
  }

  /** The error of a file that cannot be had: it fails alone. */
  async #fetch(
    page: SourcePageRow,
    files: SourceFiles,
    known: ReadonlySet<string>,
  ): Promise<GatheredFile | AppError | undefined> {
    try {
      return await files.load(page, known)
    } catch (error) {
      if (error instanceof AppError && (ERROR_STATUS[error.code] < 500 || error.code === 'EXTERNAL_SERVICE_ERROR')) return error
      throw error
    }
  }

  async #untilRoom(signal: AbortSignal): Promise<void> {
    while ((await this.#deps.space.shortage()) !== undefined) await sleep(LOOK_FOR_ROOM_MS, undefined, { signal })
  }

  async #end({ run, number, write }: Attempt, gathered: number): Promise<JobEnded> {
    const ended = await write(async (repos) => {
      const files = await repos.runs.files(run.id)
      await repos.sources.deletePages(run.id, run.space_id)
      if (files.every(({ status }) => status === 'failed')) return finishRun(repos, { run, attempt: number })
      const next = { kind: RUN_KIND, queue_key: queueOf(run), progress_total: gathered }
      return repos.jobs.handOver(run.id, number, next)
    })
    this.#deps.wake()
    return ended
  }
}

const nameless = ({ target, source }: SourceRow) => ({ path: target, uri: source === 'web' ? target : `path://${target}` })
