import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { CancelRequested, type JobEnded, type JobRow, LeaseLost, RetryJob } from '@youworker/database/jobs/jobs'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { Logger } from '@youworker/runtime/logger'
import { isModelAway, ModelError } from '@youworker/runtime/model-error'
import { innerMessage } from '@youworker/runtime/text/inner-text'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { AgentLoop } from './agent-loop.ts'
import { RunningRuns } from './running-runs.ts'
import { awayNotice } from './notices.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import { hasImages, requireVision } from '../models/vision.ts'
import { ownWords } from '../models/own-words.ts'
import type { ModelPort } from '../models/model-port.ts'
import type { Grants, LivePublisher } from '../ports.ts'
import type { EntryWriter } from '../runs/entry-writer.ts'
import { type LoadedRun, loadRun } from '../runs/load-run.ts'
import { OutageWait } from '../runs/outage-wait.ts'
import type { Outcome, RunFinisher } from '../runs/run-finisher.ts'
import type { SessionPrompts } from '../prompts/session-prompts.ts'
import { RunState } from '../runs/run-state.ts'
import type { AllowedTools, McpServer } from '../tools/mcp-servers.ts'
import { ToolBox } from '../tools/tool-box.ts'
import type { ToolDiscovery } from '../tools/tool-discovery.ts'
import type { ToolPort } from '../tools/tool-port.ts'

interface AgentParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly writer: EntryWriter
  readonly live: LivePublisher
  readonly grants: Grants
  readonly prompts: SessionPrompts
  readonly model: ModelPort
  readonly tools: {
    readonly port: ToolPort
    readonly discovery: ToolDiscovery
    readonly servers: readonly McpServer[]
    readonly allowed: AllowedTools
    readonly timeoutMs: number
    /** How long a run waits for tools that are away. */
    readonly waitMs: number
  }
  readonly loop: AgentLoop
  readonly finisher: RunFinisher
  readonly cache: Pick<AnswerCache, 'begin'>
  readonly maxIterations: number
  /** How long a run waits for a model that is away. */
  readonly modelWaitMs: number
  readonly contextTokens: number
  readonly logger: Logger
}

/** Tries of one call of the model. Crashes of this service are counted apart, as attempts of the job. */
const MODEL_TRIES = 3
const LOST = 'Documents that this answer may be made from were taken away from you or deleted meanwhile; ask again.'
const REVOKED = 'The sign-in that started this run has ended.'

/** Executes one run, from the claim of its job to its `done`. */
export class AgentRunner {
  readonly running = new RunningRuns()
  readonly #parts: AgentParts

  constructor(parts: AgentParts) {
    this.#parts = parts
  }

  /**
   * Rejects when the run has to be tried again, or when another worker owns it. `loaded`: of a run that this process has just added for a
   * user who is signed in.
   */
  async run(job: JobRow, signal: AbortSignal, loaded?: LoadedRun): Promise<JobEnded> {
    const state = this.#stateOf(job, loaded ?? (await this.#begin(job)))
    using _running = this.running.add(state)
    try {
      const outcome = await this.#outcome(state, signal, { isNew: loaded !== undefined })
      if (outcome.status === 'stopped' && state.modelCalls.isBroken) state.modelUnfinished('stopped')
      return await this.#parts.finisher.finish(state, outcome)
    } catch (error) {
      // The next attempt continues behind what is stored.
      if (state.modelCalls.isBroken) state.modelUnfinished('interrupted')
      await this.#storeCalls(state).catch(() => {})
      throw error
    } finally {
      state.log.close()
    }
  }

  /** Ends a run whose attempts all failed. The partial answer is kept, and `reason` becomes the run's error. */
  async giveUp(job: JobRow, reason: string): Promise<JobEnded> {
    const state = this.#stateOf(job, await this.#begin(job))
    try {
      return await this.#parts.finisher.finish(state, { status: 'error', error: reason })
    } finally {
      state.log.close()
    }
  }

  async #begin(job: JobRow): Promise<LoadedRun> {
    const { uow, sealer } = this.#parts
    const { id, space_id, attempt } = job
    const space = await sealer.forSpace(space_id)
    return uow.in([space_id]).write(async (repositories) => {
      await repositories.jobs.fence(id, attempt)
      const run = await repositories.runs.begin(id, attempt)
      if (!run) throw new LeaseLost(`run ${id} has ended`)
      return loadRun(repositories, space, run)
    })
  }

  #stateOf({ attempt }: JobRow, loaded: LoadedRun): RunState {
    const { writer, live } = this.#parts
    const state = new RunState(loaded, attempt, { writer, live })
    state.countInterrupted(this.#parts.contextTokens)
    return state
  }

  async #outcome(state: RunState, signal: AbortSignal, { isNew }: { readonly isNew: boolean }): Promise<Outcome> {
    try {
      if (state.attempt > 1) state.log.emit({ event: 'rewind', data: { offset: state.log.text.length } })
      signal.throwIfAborted()
      if (!isNew) await this.#mayStart(state.run.grant_id)
      return await this.#work(state, signal)
    } catch (error) {
      if (signal.reason instanceof CancelRequested) return this.#stopped(state)
      signal.throwIfAborted()
      return this.#failed(state, error)
    }
  }

  async #work(state: RunState, signal: AbortSignal): Promise<Outcome> {
    const { model, loop, maxIterations } = this.#parts
    const { run, log } = state
    const waits = {
      model: new OutageWait({ log, stage: 'waiting_for_model', limitMs: this.#parts.modelWaitMs, signal }),
      tools: new OutageWait({ log, stage: 'waiting_for_tools', limitMs: this.#parts.tools.waitMs, signal }),
    }
    state.promptRead(await this.#parts.prompts.of(state))
    const info = await waits.model.repeat(() => model.describe(run.model, signal), isModelAway)
    state.modelChosen(info)
    if (hasImages(state.history) || hasImages(state.messages)) requireVision(info)
    if (info.notice !== undefined && !log.logs.some(({ msg }) => msg === info.notice)) log.note('info', info.notice)
    await using tools = await this.#connectTools(state, { wait: waits.tools, signal })
    for (const problem of tools.problems) log.note('warning', problem)
    state.toolsMissing(tools.away)
    if (tools.problems.length === 0) this.#parts.cache.begin(state, info.name)
    const outcome = await loop.run(state, { info, tools, waits, signal, maxIterations: run.max_iterations ?? maxIterations })
    return withNotice(outcome, awayNotice(state), { isFormed: state.settings.parameters?.format !== undefined })
  }

  /** A run whose user was signed out meanwhile must not start. Without auth it starts: only our own tools need a token. */
  async #mayStart(grantId: string): Promise<void> {
    await this.#parts.grants.check(grantId).catch((error: unknown) => {
      if (isRevoked(error)) throw error
    })
  }

  async #connectTools(
    state: RunState,
    { wait, signal }: { readonly wait: OutageWait; readonly signal: AbortSignal },
  ): Promise<ToolBox> {
    const { enable_tools, disable_web, grant_id } = state.run
    const { file_search, plain = false } = state.settings
    if (!enable_tools) return ToolBox.none()
    const { grants, tools } = this.#parts
    const narrowed = { file_search, only_search: plain }
    return ToolBox.connect({ ...tools, ...narrowed, disable_web, wait, signal, token: () => grants.issueToken(grant_id) })
  }

  async #stopped(state: RunState): Promise<Outcome> {
    const { uow } = this.#parts
    const { space_id } = state.run
    if (state.book.isForgotten) return { status: 'stopped', error: LOST }
    const run = await uow.in([space_id]).read(({ runs }) => runs.find(state.run.id))
    return { status: 'stopped', error: run?.stop_reason === 'revoked' ? REVOKED : undefined }
  }

  async #failed(state: RunState, error: unknown): Promise<Outcome> {
    const { logger } = this.#parts
    if (error instanceof LeaseLost) throw error
    if (isRevoked(error)) return { status: 'stopped', error: REVOKED }
    if (!(error instanceof AppError))
      throw new AppError('INTERNAL_ERROR', 'Something went wrong inside; try again.', { cause: error })
    // The messages of errors may repeat what the conversation says, too.
    const wordsOf = (text: string | undefined) =>
      ownWords(
        text,
        state.messages.map(({ content }) => content),
      )
    const said = error instanceof ModelError ? wordsOf(error.said) : undefined
    if (error instanceof ModelError) state.modelUnfinished('failed', { said, error: error.message })
    const isFinal = this.#isFinal(state, error)
    const line = { run: state.run.id, attempt: state.attempt, code: error.code, reason: wordsOf(innerMessage(error)), said }
    logger.warn(line, isFinal ? 'a run failed' : 'an attempt of a run failed')
    if (isFinal) {
      state.log.note('error', error.message)
      return { status: 'error', error: error.message }
    }
    state.log.note('warning', error.message)
    state.log.emit({ event: 'status', data: { stage: 'retrying' } })
    if (!(error instanceof ModelError)) throw error
    // Else the try would not be counted.
    await this.#storeCalls(state)
    throw new RetryJob(error.message, { tries: state.modelCalls.failures(state.iterations + 1) })
  }

  /** A model that is away was waited for already. */
  #isFinal({ modelCalls, iterations }: RunState, error: AppError): boolean {
    if (!(error instanceof ModelError)) return ERROR_STATUS[error.code] < 500
    const isTried = error.failure === 'failed' || error.failure === 'busy'
    return !isTried || modelCalls.failures(iterations + 1) >= MODEL_TRIES
  }

  /** Stores what the calls used and that one failed, once the text that they wrote is stored. */
  async #storeCalls({ run, attempt, log, modelCalls }: RunState): Promise<void> {
    await log.flush()
    if (modelCalls.unstored.length === 0) return
    await this.#parts.uow.in([run.space_id]).write(async ({ jobs, runs }) => {
      await jobs.fence(run.id, attempt)
      await runs.addUnfinishedCalls(modelCalls.unstored)
      await runs.addUse(run.id, modelCalls.usage)
    })
    modelCalls.stored()
  }
}

/** Under an answer whose form is given nothing can be written: it fails instead. */
function withNotice(outcome: Outcome, notice: string, { isFormed }: { readonly isFormed: boolean }): Outcome {
  if (notice === '') return outcome
  if (isFormed && outcome.client_calls === undefined) return { status: 'error', error: notice.trim().replace(/^\(|\)$/g, '') }
  return { ...outcome, status: outcome.status === 'success' ? 'partial' : outcome.status, notice }
}

const isRevoked = (error: unknown): boolean => error instanceof AppError && error.code === 'NOT_AUTHENTICATED'
