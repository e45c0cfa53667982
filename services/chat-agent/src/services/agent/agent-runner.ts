import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { CancelRequested, type JobRow, LeaseLost } from '@youworker/database/jobs/jobs'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { Logger } from '@youworker/runtime/logger'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { AgentLoop } from './agent-loop.ts'
import type { EntryWriter } from '../runs/entry-writer.ts'
import type { ModelPort } from '../models/model-port.ts'
import { OpenRun } from '../runs/open-run.ts'
import type { Grants, LivePublisher } from '../runs/ports.ts'
import type { Outcome, RunFinisher } from '../runs/run-finisher.ts'
import { loadRun } from '../runs/run-record.ts'
import type { McpServer } from '../tools/server-urls.ts'
import { ToolBox } from '../tools/tool-box.ts'
import type { ToolDiscovery } from '../tools/tool-discovery.ts'
import type { ToolPort } from '../tools/tool-port.ts'

export interface AgentParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly writer: EntryWriter
  readonly live: LivePublisher
  readonly grants: Grants
  readonly model: ModelPort
  readonly tools: {
    readonly port: ToolPort
    readonly discovery: ToolDiscovery
    readonly servers: readonly McpServer[]
    readonly timeoutMs: number
  }
  readonly loop: AgentLoop
  readonly finisher: RunFinisher
  readonly maxIterations: number
  readonly logger: Logger
}

/** Attempts that a failing model is given; crashes of ours have more. */
const MODEL_ATTEMPTS = 3
const REVOKED = 'The sign-in that started this run has ended.'

/** One run, from its claim to its `done`. */
export class AgentRunner {
  readonly #parts: AgentParts

  constructor(parts: AgentParts) {
    this.#parts = parts
  }

  /** Rejects when the run is to be tried again, or when it is no longer ours. */
  async run(job: JobRow, signal: AbortSignal): Promise<void> {
    const open = await this.#begin(job)
    try {
      const outcome = await this.#outcome(open, signal)
      await this.#parts.finisher.finish(open, outcome)
    } catch (error) {
      // What is stored now need not be said again by the next attempt.
      await open.flush().catch(() => {})
      throw error
    } finally {
      open.close()
    }
  }

  /** All attempts failed: what is there of the answer is kept, and the run says why it ended. */
  async giveUp(job: JobRow, reason: string): Promise<void> {
    const open = await this.#begin(job)
    await this.#parts.finisher.finish(open, { status: 'error', error: reason })
    open.close()
  }

  async #begin(job: JobRow): Promise<OpenRun> {
    const { uow, sealer, writer, live } = this.#parts
    const { id, space_id, attempt } = job
    await uow.in([space_id]).write(async ({ jobs, runs }) => {
      await jobs.fence(id, attempt)
      if (!(await runs.begin(id, attempt))) throw new LeaseLost(`run ${id} has ended`)
    })
    return new OpenRun(await loadRun(uow, sealer, { id, space_id }), attempt, { writer, live })
  }

  async #outcome(open: OpenRun, signal: AbortSignal): Promise<Outcome> {
    try {
      if (open.attempt > 1) open.emit({ event: 'rewind', data: { offset: open.text.length } })
      signal.throwIfAborted()
      return await this.#work(open, signal)
    } catch (error) {
      if (signal.reason instanceof CancelRequested) return this.#stopped(open)
      signal.throwIfAborted()
      return this.#failed(open, error)
    }
  }

  async #work(open: OpenRun, signal: AbortSignal): Promise<Outcome> {
    const { model, loop, maxIterations } = this.#parts
    const { run } = open.record
    await this.#mayStart(run.grant_id)
    const info = await model.describe(run.model)
    open.model = info.name
    await using tools = await this.#openTools(open, info.tools)
    for (const problem of tools.problems) open.log('warning', problem)
    return await loop.run(open, { info, tools, signal, maxIterations: run.max_iterations ?? maxIterations })
  }

  /** A run whose user was signed out meanwhile does not start. While auth is away, tools of ours will not work anyway. */
  async #mayStart(grantId: string): Promise<void> {
    await this.#parts.grants.issueToken(grantId).catch((error: unknown) => {
      if (isRevoked(error)) throw error
    })
  }

  async #openTools(open: OpenRun, modelHasTools: boolean): Promise<ToolBox> {
    const { enable_tools, disable_web, grant_id } = open.record.run
    if (!enable_tools) return ToolBox.none()
    if (!modelHasTools) {
      open.log('warning', `${open.model} cannot use tools; it answers from what it knows.`)
      return ToolBox.none()
    }
    const { grants, tools } = this.#parts
    return ToolBox.open({ ...tools, disable_web, token: () => grants.issueToken(grant_id) })
  }

  async #stopped(open: OpenRun): Promise<Outcome> {
    const { uow } = this.#parts
    const { space_id } = open.record.run
    const run = await uow.in([space_id]).read(({ runs }) => runs.find(open.id))
    return { status: 'stopped', error: run?.stop_reason === 'revoked' ? REVOKED : undefined }
  }

  #failed(open: OpenRun, error: unknown): Outcome {
    const { logger } = this.#parts
    if (error instanceof LeaseLost) throw error
    if (isRevoked(error)) return { status: 'stopped', error: REVOKED }
    if (!(error instanceof AppError))
      throw new AppError('INTERNAL_ERROR', 'Something went wrong inside; try again.', { cause: error })
    const isFinal = ERROR_STATUS[error.code] < 500 || (isModelError(error) && open.attempt >= MODEL_ATTEMPTS)
    logger.warn({ err: error, run: open.id, attempt: open.attempt }, isFinal ? 'a run failed' : 'an attempt of a run failed')
    if (isFinal) {
      open.log('error', error.message)
      return { status: 'error', error: error.message }
    }
    open.log('warning', error.message)
    open.emit({ event: 'status', data: { stage: 'retrying' } })
    throw error
  }
}

const isRevoked = (error: unknown): boolean => error instanceof AppError && error.code === 'NOT_AUTHENTICATED'
const isModelError = ({ code }: AppError): boolean => code === 'LLM_ERROR' || code === 'CIRCUIT_OPEN'
