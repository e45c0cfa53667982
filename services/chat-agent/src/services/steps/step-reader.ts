import type { RunStep, StepStatus } from '@youworker/contracts/agent/run-steps'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ModelStep } from '../../repositories/run-repository.ts'
import type { ToolStepRow } from '../../repositories/tool-run-repository.ts'
import { bytesOf, clipArgs, clipBytes } from '../clip.ts'
import type { LoadedRun } from '../runs/load-run.ts'
import { unsealSettings } from '../runs/run-settings.ts'
import { sealContext } from '../sealed-fields.ts'
import type { StoredCall } from './call-record.ts'
import { shownCall } from './shown-call.ts'
import type { StoredStep } from './stored-steps.ts'

/** Bytes of JSON that are shown. */
const SHOWN = { args: 64 * 1024, result: 128 * 1024, format: 32 * 1024 } as const
const TOOL_STATUS = { running: 'running', success: 'done', error: 'failed', unknown: 'outcome_unknown' } as const

/** What was asked and answered, sealed, by iteration and by `n`, and what is needed to read it. */
export interface Contents {
  readonly loaded: LoadedRun
  readonly answered: ReadonlyMap<number, Buffer | null>
  readonly unfinished: ReadonlyMap<number, Buffer | null>
}

/** Unseals the steps of a run. */
export class StepReader {
  readonly #space: SpaceSealer
  readonly #run: RunRow
  readonly #contents: Contents | undefined
  readonly #parameters: Extract<RunStep, { kind: 'model' }>['parameters']

  constructor(space: SpaceSealer, run: RunRow, contents: Contents | undefined) {
    this.#space = space
    this.#run = run
    this.#contents = contents
    const { format, ...more } = unsealSettings(space, run).parameters ?? {}
    const shown = typeof format === 'object' ? clipArgs(format, SHOWN.format) : format
    this.#parameters = { ...more, ...(shown === undefined ? {} : { format: shown }) }
  }

  read(step: StoredStep, index: number): RunStep {
    switch (step.is) {
      case 'answered': {
        const { run_id, iteration } = step.row
        const content = this.#contents?.answered.get(iteration)
        const shown = this.#content(content, sealContext.stepContent(run_id, iteration))
        return { index, ...this.#modelCall(step.row, 'done'), ...shown }
      }
      case 'unfinished': {
        const { reason, n, error: sealed, run_id } = step.row
        const error = sealed && this.#space.openText(sealed, sealContext.callError(run_id, n))
        const shown = this.#content(this.#contents?.unfinished.get(n), sealContext.unfinishedContent(run_id, n))
        return { index, ...this.#modelCall({ ...step.row, finish_reason: null }, reason), error, ...shown }
      }
      case 'tool':
        return { index, ...this.#toolCall(step.row) }
      case 'running':
        return { index, ...this.#running(step) }
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

  #content(sealed: Buffer | null | undefined, context: ReturnType<typeof sealContext.said>) {
    if (!this.#contents || !sealed) return {}
    // Written by this service from the same type.
    const call = JSON.parse(this.#space.openText(sealed, context)) as StoredCall
    return { content: shownCall(call, this.#contents.loaded) }
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
    const call = this.#contents?.loaded.calls.find((one) => one.id === id)
    if (!call) return {}
    const result = call.result?.text ?? null
    const shown = { arguments: clipArgs(call.args, SHOWN.args), result: result === null ? null : clipBytes(result, SHOWN.result) }
    const isCut = bytesOf(call.args) > SHOWN.args || (shown.result?.length ?? 0) < (result?.length ?? 0)
    return { content: { ...shown, cut: isCut } }
  }
}
