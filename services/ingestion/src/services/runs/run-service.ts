import { type CursorPage, type Task, TERMINAL } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import type { FileTimeline, IngestionRun, RetryStage } from '@youworker/contracts/documents/runs'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { LABELS_KIND } from '../labels/label-service.ts'
import { requestCancel } from './run-finisher.ts'
import type { z } from 'zod'
import { RUN_KIND } from './run-starter.ts'
import { GATHER_KIND } from '../sources/source-starter.ts'
import { runDetail, runSummary, taskView, timelineView } from './run-view.ts'

interface RunServiceDependencies {
  readonly uow: IngestionUnitOfWork
  readonly space: FreeSpace
  readonly wake: () => void
}

/** A run that fetches its files itself is first a job of the one kind, then of the other. */
const RUN_KINDS = [RUN_KIND, GATHER_KIND]
const STILL_RUNNING = 'This run still works; cancel it or wait for its end'

/** A user's runs, as runs and as tasks. Only the user who started a run finds it. */
export class RunService {
  readonly #uow: IngestionUnitOfWork
  readonly #space: FreeSpace
  readonly #wake: () => void

  constructor({ uow, space, wake }: RunServiceDependencies) {
    this.#uow = uow
    this.#space = space
    this.#wake = wake
  }

  get({ run_id }: { run_id: string }, { caller }: UserContext): Promise<IngestionRun> {
    return this.#uow.in([caller.user_id]).read((repos) => detail(repos, run_id, caller.user_id))
  }

  list(page: CursorPage, { caller }: UserContext) {
    return this.#uow.in([caller.user_id]).read(async ({ runs }) => {
      const { rows, ...rest } = await runs.list(caller.user_id, page)
      const totals = await runs.totals(rows.map(({ id }) => id))
      return { runs: rows.map((run) => runSummary(run, totals.get(run.id))), ...rest }
    })
  }

  /** A waiting run ends at once, a working one within 2 s. */
  async cancel({ run_id }: { run_id: string }, { caller }: UserContext): Promise<IngestionRun> {
    const cancelled = await this.#uow.in([caller.user_id]).write(async (repos) => {
      const run = await repos.runs.lock(run_id, caller.user_id)
      if (!run) throw noRun()
      await requestCancel(repos, run)
      return detail(repos, run_id, caller.user_id)
    })
    this.#wake()
    return cancelled
  }

  /** A working run is taken from its worker, which stops within 2 s. */
  async pause({ run_id }: { run_id: string }, { caller }: UserContext): Promise<IngestionRun> {
    const paused = await this.#uow.in([caller.user_id]).write(async (repos) => {
      const run = await repos.runs.lock(run_id, caller.user_id)
      if (!run) throw noRun()
      if (!(await repos.jobs.pause(run_id))) throw new AppError('CONFLICT', 'This run has ended or is being cancelled')
      return detail(repos, run_id, caller.user_id)
    })
    this.#wake()
    return paused
  }

  async resume({ run_id }: { run_id: string }, { caller }: UserContext): Promise<IngestionRun> {
    const resumed = await this.#uow.in([caller.user_id]).write(async (repos) => {
      const run = await repos.runs.lock(run_id, caller.user_id)
      if (!run) throw noRun()
      if (TERMINAL.includes(run.status))
        throw new AppError('CONFLICT', 'This run has ended; retry it to read its failed files again')
      await repos.jobs.resume(run_id)
      return detail(repos, run_id, caller.user_id)
    })
    this.#wake()
    return resumed
  }

  timeline({ run_id }: { run_id: string }, { caller }: UserContext): Promise<{ files: z.infer<typeof FileTimeline>[] }> {
    return this.#uow.in([caller.user_id]).read(async ({ runs }) => {
      if (!(await runs.get(run_id, caller.user_id))) throw noRun()
      return { files: (await runs.files(run_id)).map(timelineView) }
    })
  }

  async retry(
    { run_id, stage }: { run_id: string; stage?: RetryStage | undefined },
    { caller }: UserContext,
  ): Promise<IngestionRun> {
    await this.#space.require()
    const run = await this.#uow.in([caller.user_id]).write(async (repos) => {
      const before = await lockEnded(repos, run_id, caller.user_id)
      if ((await repos.runs.reopenFailed(before.id, stage)) === 0) {
        throw new AppError('CONFLICT', 'No file of this run can be tried again; upload the failed ones anew')
      }
      await repos.runs.forgetWaits(run_id)
      await repos.jobs.redrive(run_id)
      return detail(repos, run_id, caller.user_id)
    })
    this.#wake()
    return run
  }

  async delete({ run_id }: { run_id: string }, context: UserContext): Promise<Record<string, never>> {
    const { user_id } = context.caller
    await this.#uow.in([user_id]).write(async (repos) => {
      await lockEnded(repos, run_id, user_id)
      await repos.runs.delete(run_id)
      await repos.jobs.delete(run_id)
      recordAudit(
        repos.outbox,
        ingestion.auditRecorded,
        {
          actor_id: context.caller.user_id,
          action: 'run.delete',
          outcome: 'allowed',
          target_type: 'ingestion_run',
          target_id: run_id,
        },
        context,
      )
    })
    return {}
  }

  listTasks(page: CursorPage, { caller }: UserContext) {
    return this.#uow.in([caller.user_id]).read(async ({ jobs, runs }) => {
      const { rows, ...rest } = await jobs.list({ user_id: caller.user_id, kinds: [...RUN_KINDS, LABELS_KIND], ...page })
      const totals = await runs.totals(rows.map(({ id }) => id))
      return { tasks: rows.map((job) => taskView(job, totals.get(job.id))), ...rest }
    })
  }

  getTask({ task_id }: { task_id: string }, { caller }: UserContext): Promise<Task> {
    return this.#uow.in([caller.user_id]).read((repos) => task(repos, task_id, caller.user_id))
  }

  async cancelTask({ task_id }: { task_id: string }, { caller }: UserContext): Promise<Task> {
    const cancelled = await this.#uow.in([caller.user_id]).write(async (repos) => {
      const run = await repos.runs.lock(task_id, caller.user_id)
      if (run) await requestCancel(repos, run)
      else if ((await repos.jobs.get(task_id))?.user_id === caller.user_id) await repos.jobs.requestCancel(task_id)
      return task(repos, task_id, caller.user_id)
    })
    this.#wake()
    return cancelled
  }
}

async function detail({ runs }: IngestionRepositories, runId: string, userId: string): Promise<IngestionRun> {
  const run = await runs.get(runId, userId)
  if (!run) throw noRun()
  const totals = await runs.totals([runId])
  return runDetail(run, totals.get(runId), await runs.files(runId))
}

async function task({ jobs, runs }: IngestionRepositories, taskId: string, userId: string): Promise<Task> {
  const job = await jobs.get(taskId)
  if (!job || job.user_id !== userId)
    throw new AppError('TASK_NOT_FOUND', 'There is no such task of yours; GET /v1/tasks lists them')
  return taskView(job, (await runs.totals([taskId])).get(taskId))
}

async function lockEnded({ runs }: IngestionRepositories, runId: string, userId: string) {
  const run = await runs.lock(runId, userId)
  if (!run) throw noRun()
  if (!TERMINAL.includes(run.status)) throw new AppError('CONFLICT', STILL_RUNNING)
  return run
}

const noRun = () => new AppError('RUN_NOT_FOUND', 'There is no such run of yours; GET /v1/ingestion-runs lists them')
