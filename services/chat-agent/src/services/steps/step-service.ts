import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { RunStep, StepStatus } from '@youworker/contracts/agent/run-steps'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { ModelStep, UnfinishedCall } from '../../repositories/run-repository.ts'
import type { ToolStepRow } from '../../repositories/tool-run-repository.ts'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { bytesOf, clipArgs, clipBytes } from '../clip.ts'
import { type LoadedRun, loadRun } from '../runs/load-run.ts'
import { unsealSettings } from '../runs/run-settings.ts'
import { sealContext } from '../sealed-fields.ts'
import { type StoredStep, storedSteps } from './stored-steps.ts'
import type { StoredCall } from './call-record.ts'
import { shownCall } from './shown-call.ts'

type Page = HandlerOutput<typeof chatAgent.listSteps>
type Place = { readonly index: number }

/** Bytes of JSON of a tool call's content. */
const SHOWN = { args: 64 * 1024, result: 128 * 1024 } as const
const TOOL_STATUS = { running: 'running', success: 'done', error: 'failed', unknown: 'outcome_unknown' } as const

/** The calls that runs made, as their users read them. */
export class StepService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer

  constructor(uow: ChatAgentUnitOfWork, sealer: Sealer) {
    this.#uow = uow
    this.#sealer = sealer
  }

  async list(userId: string, { run_id, include, after, limit }: HandlerInput<typeof chatAgent.listSteps>): Promise<Page> {
    const space = await this.#sealer.forSpace(userId)
    return this.#uow.in([userId]).read(async (repositories) => {
      const { runs, toolRuns } = repositories
      const run = await runs.find(run_id)
      if (!run) throw new AppError('RUN_NOT_FOUND', 'There is no such run')
      const [steps, unfinished, tools] = await Promise.all([
        runs.steps(run_id),
        runs.unfinishedCalls(run_id),
        toolRuns.stepsOf(run_id),
      ])
      const all = storedSteps(run, { steps, unfinished, tools })
      const loaded = include === 'content' ? await loadRun(repositories, space, run) : undefined
      const reader = new StepReader(repositories, space, run, loaded)
      return readPage(all, { after, limit }, (step, place) => reader.read(step, place))
    })
  }
}

async function readPage(
  all: readonly StoredStep[],
  { after, limit }: { readonly after: number; readonly limit: number },
  read: (step: StoredStep, place: Place) => Promise<RunStep>,
): Promise<Page> {
  const steps: RunStep[] = []
  let bytes = 0
  for (const [at, step] of all.slice(after, after + limit).entries()) {
    const shown = await read(step, { index: after + at + 1 })
    bytes += bytesOf(shown) + 1
    if (steps.length > 0 && bytes > LIMITS.entriesPage) break
    steps.push(shown)
  }
  const end = after + steps.length
  return { steps, next: end < all.length ? end : null }
}

class StepReader {
  readonly #repositories: Pick<ChatAgentRepositories, 'runs'>
  readonly #space: SpaceSealer
  readonly #run: RunRow
  readonly #loaded: LoadedRun | undefined
  readonly #parameters: Extract<RunStep, { kind: 'model' }>['parameters']

  constructor(repositories: Pick<ChatAgentRepositories, 'runs'>, space: SpaceSealer, run: RunRow, loaded: LoadedRun | undefined) {
    this.#repositories = repositories
    this.#space = space
    this.#run = run
    this.#loaded = loaded
    this.#parameters = unsealSettings(space, run).parameters ?? {}
  }

  async read(step: StoredStep, place: Place): Promise<RunStep> {
    switch (step.is) {
      case 'answered':
        return { ...place, ...this.#modelCall(step.row, 'done'), ...(await this.#content(step.row)) }
      case 'unfinished': {
        const { reason, n, error, run_id } = step.row
        const words = error && this.#space.openText(error, sealContext.callError(run_id, n))
        const call = this.#modelCall({ ...step.row, finish_reason: null }, reason)
        return { ...place, ...call, error: words, ...(await this.#content(step.row)) }
      }
      case 'tool':
        return { ...place, ...this.#toolCall(step.row) }
      case 'running':
        return { ...place, ...this.#running(step) }
    }
  }

  #modelCall(call: Omit<ModelStep, 'latency_ms'> & { latency_ms: number | null }, status: StepStatus) {
    const { iteration, attempt, started_at, model, backend, tokens_in, tokens_out, estimated, finish_reason } = call
    const { latency_ms, num_ctx, max_tokens } = call
    const parameters = {
      ...this.#parameters,
      ...(num_ctx === null ? {} : { num_ctx }),
      ...(max_tokens === null ? {} : { max_tokens }),
    }
    const use = { tokens_in, tokens_out, estimated, finish_reason }
    const call_of = { iteration, attempt, status, started_at, latency_ms, error: null }
    return { kind: 'model' as const, ...call_of, model, backend, parameters, ...use }
  }

  #running({ iteration, started_at, model }: Extract<StoredStep, { is: 'running' }>) {
    const { attempt } = this.#run
    const unknown = { backend: null, num_ctx: null, max_tokens: null, finish_reason: null, latency_ms: null }
    const use = { tokens_in: 0, tokens_out: 0, estimated: false, text_end: 0 }
    const { id: run_id, space_id } = this.#run
    return this.#modelCall({ run_id, space_id, iteration, attempt, model, started_at, ...use, ...unknown }, 'running')
  }

  async #content(call: ModelStep | UnfinishedCall) {
    if (!this.#loaded) return {}
    const { run_id } = call
    const sealed = await this.#repositories.runs.contentOf(run_id, call)
    if (sealed === null) return {}
    const context = 'n' in call ? sealContext.unfinishedContent(run_id, call.n) : sealContext.stepContent(run_id, call.iteration)
    // Written by this service from the same type.
    return { content: shownCall(JSON.parse(this.#space.openText(sealed, context)) as StoredCall, this.#loaded) }
  }

  #toolCall(row: ToolStepRow) {
    const { id: tool_run_id, iteration, tool_name, idempotent, called_at, start_ts, latency_ms, error } = row
    const status: StepStatus = row.status === 'running' && called_at === null ? 'pending' : TOOL_STATUS[row.status]
    const words = error && this.#space.openText(error, sealContext.error(tool_run_id))
    const common = {
      iteration,
      status,
      started_at: called_at ?? (status === 'pending' ? null : start_ts),
      latency_ms,
      error: words,
    }
    return { kind: 'tool' as const, tool_run_id, tool_name, idempotent, ...common, ...this.#toolContent(tool_run_id) }
  }

  #toolContent(id: string) {
    const call = this.#loaded?.calls.find((one) => one.id === id)
    if (!call) return {}
    const result = call.result?.text ?? null
    const shown = { arguments: clipArgs(call.args, SHOWN.args), result: result === null ? null : clipBytes(result, SHOWN.result) }
    const isCut = bytesOf(call.args) > SHOWN.args || (shown.result?.length ?? 0) < (result?.length ?? 0)
    return { content: { ...shown, cut: isCut } }
  }
}
