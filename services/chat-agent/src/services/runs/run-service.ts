import type { chatAgent, ChatRun } from '@youworker/contracts/chat-agent'
import type { HandlerOutput } from '@youworker/contracts/define'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import type { Revocation } from '@youworker/contracts/auth'
import { type CursorPage, type Status, type Task, TERMINAL } from '@youworker/contracts/common'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { withinBytes } from '../clip.ts'
import type { LivePublisher, Waker } from '../ports.ts'
import { unsealEntry } from '../sealed-fields.ts'
import type { EntryWriter } from './entry-writer.ts'
import { loadRun } from './load-run.ts'
import type { RunFinisher } from './run-finisher.ts'
import { stepsOf } from './run-steps.ts'
import { RunState } from './run-state.ts'
import { RUN_KIND } from '../turns/add-run.ts'

interface RunParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly writer: EntryWriter
  readonly live: LivePublisher
  readonly waker: Waker
  readonly finisher: RunFinisher
  readonly contextTokens: number
}

type StopReason = NonNullable<RunRow['stop_reason']>

/** Rows read for a page; most entries are one token. */
const PAGE_ROWS = 500

const notFound = (code: ErrorCode = 'RUN_NOT_FOUND') =>
  new AppError(code, code === 'RUN_NOT_FOUND' ? 'There is no such run' : 'There is no such task')

/** Reads, follows and stops runs that exist. */
export class RunService {
  readonly #parts: RunParts

  constructor(parts: RunParts) {
    this.#parts = parts
  }

  /** With `isRoot` it has what model servers said about failures. */
  async get(userId: string, runId: string, isRoot = false): Promise<ChatRun> {
    const space = await this.#parts.sealer.forSpace(userId)
    return this.#parts.uow.in([userId]).read(async ({ runs, toolRuns }) => {
      const run = await runs.find(runId)
      if (!run) throw notFound()
      const calls = {
        steps: await runs.steps(runId),
        unfinished: await runs.unfinishedCalls(runId),
        tools: await toolRuns.ofRun(runId),
      }
      const estimated = [...calls.steps, ...calls.unfinished].some((call) => call.estimated)
      const { id, session_id, status, attempt, tokens_in, tokens_out, error, created_at, updated_at } = run
      const usage = { tokens_in, tokens_out, ...(estimated ? { estimated } : {}) }
      const steps = stepsOf(calls, isRoot ? space : undefined)
      return { id, session_id, status, attempt, steps, usage, error, created_at, updated_at }
    })
  }

  /** The status is read before the entries, so a terminal status comes with the run's last entry, or with `more`. */
  async entries(userId: string, runId: string, after: number): Promise<{ entries: RunEntry[]; more: boolean; status: Status }> {
    const space = await this.#parts.sealer.forSpace(userId)
    const { status, rows } = await this.#parts.uow.in([userId]).read(async (repositories) => {
      // The statements are sent together; the first one is answered first.
      const [found, page] = await Promise.all([
        repositories.runs.status(runId),
        repositories.entries.page(runId, after, PAGE_ROWS),
      ])
      if (!found) throw notFound()
      return { status: found, rows: page }
    })
    const all = rows.map((row) => unsealEntry(space, runId, row))
    const fitting = withinBytes(all, LIMITS.runPage)
    const entries = fitting.length === 0 ? all.slice(0, 1) : fitting
    return { entries, more: entries.length < all.length || rows.length === PAGE_ROWS, status }
  }

  async stop(userId: string, runId: string): Promise<ChatRun> {
    if (!(await this.#cancel(userId, runId, 'user'))) throw notFound()
    return this.get(userId, runId)
  }

  /** Ends the runs that a revoked session or key started. Every replica may do it. */
  async revoke({ sid, sub, revoked_at }: Revocation): Promise<void> {
    const of = sid !== null ? { sid } : sub !== null ? { user_id: sub, started_before: revoked_at } : undefined
    if (!of) return
    const unfinished = await this.#parts.uow.system().read(({ runs }) => runs.unfinished(of))
    for (const { id, user_id } of unfinished) await this.#cancel(user_id, id, 'revoked')
  }

  /** Ends runs whose job ended without a `done`, as when a process died in between. */
  async endOrphaned(): Promise<void> {
    const orphans = await this.#parts.uow.system().read(({ runs }) => runs.orphaned())
    for (const { id, space_id } of orphans) await this.endWithoutOwner(id, space_id)
  }

  async listTasks(userId: string, page: CursorPage): Promise<HandlerOutput<typeof chatAgent.listTasks>> {
    const { rows, ...rest } = await this.#parts.uow
      .in([userId])
      .read(({ jobs }) => jobs.list({ user_id: userId, kinds: [RUN_KIND], ...page }))
    return { tasks: rows.map(toTask), ...rest }
  }

  async getTask(userId: string, taskId: string): Promise<Task> {
    const job = await this.#parts.uow.in([userId]).read(({ jobs }) => jobs.get(taskId))
    if (job?.kind !== RUN_KIND || job.user_id !== userId) throw notFound('TASK_NOT_FOUND')
    return toTask(job)
  }

  async cancelTask(userId: string, taskId: string): Promise<Task> {
    if (!(await this.#cancel(userId, taskId, 'user'))) throw notFound('TASK_NOT_FOUND')
    return this.getTask(userId, taskId)
  }

  /** False when there is no such run. A run that has ended stays as it is. */
  async #cancel(userId: string, runId: string, reason: StopReason): Promise<boolean> {
    const { uow, waker } = this.#parts
    const job = await uow.in([userId]).write(async ({ sessions, runs, jobs }) => {
      const run = await runs.find(runId)
      if (!run || !(await sessions.lock(userId, run.session_id))) return undefined
      const asked = await jobs.requestCancel(runId)
      if (!TERMINAL.includes(run.status)) await runs.setStopReason(runId, reason)
      return asked && { ...asked, unfinished: !TERMINAL.includes(run.status) }
    })
    if (!job) return false
    if (job.status === 'running') waker.cancelled()
    else if (job.unfinished) await this.endWithoutOwner(runId, userId)
    return true
  }

  /** Ends a run whose job has ended, or was cancelled before anybody worked on it. */
  readonly endWithoutOwner = async (id: string, space_id: string): Promise<void> => {
    const { uow, sealer, writer, live, finisher, contextTokens } = this.#parts
    const space = await sealer.forSpace(space_id)
    const found = await uow.inWithDeleted([space_id]).read(async (repositories) => {
      const run = await repositories.runs.find(id)
      return run && { loaded: await loadRun(repositories, space, run), job: await repositories.jobs.get(id) }
    })
    // The session was erased in between.
    if (!found) return
    const { loaded, job } = found
    const state = new RunState(loaded, loaded.run.attempt, { writer, live })
    state.countInterrupted(contextTokens)
    const cancelled = job?.status === 'cancelled'
    await finisher.finishEnded(
      state,
      cancelled ? { status: 'stopped' } : { status: 'error', error: job?.error ?? 'The run failed.' },
    )
  }
}

function toTask(job: JobRow): Task {
  const { id, status, progress_current, progress_total, error, attempt, created_at, updated_at } = job
  return {
    id,
    type: 'chat',
    state: status,
    progress: { current: progress_current, total: progress_total },
    ...(TERMINAL.includes(status) ? { result: { run_id: id, session_id: job.payload['session_id'] } } : {}),
    ...(error === null ? {} : { error }),
    attempts: attempt,
    created_at,
    updated_at,
  }
}
