import { chatAgent } from '@youworker/contracts/chat-agent'
import { AppError } from '@youworker/contracts/errors'
import { faultPoint } from '@youworker/runtime/fault-point'
import { metrics } from '@youworker/runtime/health/metrics'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { SearchResults } from '../agent/citation-book.ts'
import { clipArgs, clipText } from '../clip.ts'
import type { OpenRun } from '../runs/open-run.ts'
import { type StoredCall, type StoredResult, toolMessage } from '../runs/restore-turn.ts'
import { place } from '../sealed-fields.ts'
import type { ToolBox } from './tool-box.ts'

const SHOWN_ARGS = 4 * 1024
const PREVIEW = 500
const MAX_ERROR = 1_000

interface Result {
  readonly status: 'success' | 'error' | 'unknown'
  readonly result: StoredResult | null
  readonly error: string | null
  readonly latency_ms: number
}

/** Makes the tool calls of a run: each is written down before it is made, and its result after. */
export class ToolCaller {
  readonly #uow: ChatAgentUnitOfWork

  constructor(uow: ChatAgentUnitOfWork) {
    this.#uow = uow
  }

  /** Leaves the result in the run's messages. Rejects with the signal's reason when it aborts. */
  async call(open: OpenRun, call: StoredCall, tools: ToolBox, signal: AbortSignal): Promise<void> {
    if (!open.tool_events.some(({ run_id }) => run_id === call.id)) this.#showStart(open, call)
    const result = call.called && !call.idempotent ? this.#unknown(open, call) : await this.#make(open, call, tools, signal)
    await this.#store(open, call, result)
    open.messages.push(toolMessage({ name: call.name, result: result.result, error: result.error }, open.record.book))
    this.showEnd(open, call, result)
    metrics.toolRuns.labels(call.name, result.status).inc()
  }

  showEnd(
    open: OpenRun,
    { id, name }: StoredCall,
    { status, result, error, latency_ms }: Omit<Result, 'latency_ms'> & { latency_ms: number | null },
  ): void {
    const result_preview = previewOf(result, error)
    const ended = status === 'success' ? 'end' : 'error'
    const ts = new Date().toISOString()
    open.emit({ event: 'tool', data: { tool: name, status: ended, latency_ms: latency_ms ?? 0, result_preview, ts, run_id: id } })
  }

  #showStart(open: OpenRun, { id, name, args }: StoredCall): void {
    const ts = new Date().toISOString()
    open.emit({ event: 'tool', data: { tool: name, status: 'start', args: clipArgs(args, SHOWN_ARGS), ts, run_id: id } })
  }

  #unknown(open: OpenRun, { name }: StoredCall): Result {
    const error = `outcome unknown: the run was interrupted while ${name} ran, and repeating it might do harm. It may or may not have happened.`
    open.log('warning', `${name}: ${error}`)
    return { status: 'unknown', result: null, error, latency_ms: 0 }
  }

  async #make(open: OpenRun, { id, name, args }: StoredCall, tools: ToolBox, signal: AbortSignal): Promise<Result> {
    await this.#uow.in([open.record.run.space_id]).write(async ({ jobs, toolRuns }) => {
      await jobs.fence(open.id, open.attempt)
      await toolRuns.markCalled(id)
    })
    signal.throwIfAborted()
    const started = performance.now()
    const outcome = await this.#try(name, args, tools, signal)
    faultPoint('after_tool_call_before_result')
    return { ...outcome, latency_ms: Math.round(performance.now() - started) }
  }

  async #try(
    name: string,
    args: Record<string, unknown>,
    tools: ToolBox,
    signal: AbortSignal,
  ): Promise<Omit<Result, 'latency_ms'>> {
    try {
      const { text, is_error, structured } = await tools.call(name, args, signal)
      if (is_error) return { status: 'error', result: null, error: clipText(text || 'The tool failed.', MAX_ERROR) }
      const hits = tools.find(name)?.own === true ? SearchResults.safeParse(structured).data?.results : undefined
      return { status: 'success', result: { text, ...(hits ? { hits } : {}) }, error: null }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') throw error
      const message = error instanceof AppError ? error.message : 'The tool could not be called.'
      return { status: 'error', result: null, error: clipText(message, MAX_ERROR) }
    }
  }

  async #store(open: OpenRun, { id, name }: StoredCall, { status, result, error, latency_ms }: Result): Promise<void> {
    const { run, space } = open.record
    const preview = space.sealText(previewOf(result, error), place.preview(id))
    const sealedResult = result && space.sealText(JSON.stringify(result), place.result(id))
    const sealedError = error === null ? null : space.sealText(error, place.error(id))
    await this.#uow.in([run.space_id]).write(async ({ jobs, toolRuns, outbox }) => {
      await jobs.fence(open.id, open.attempt)
      await toolRuns.end(id, { status, result: sealedResult, preview, error: sealedError, latency_ms })
      await outbox.add(chatAgent.toolRunFinished, { tool_run_id: id, user_id: run.user_id, tool_name: name, status, latency_ms })
    })
  }
}

function previewOf(result: StoredResult | null, error: string | null): string {
  if (result === null) return clipText(error ?? '', PREVIEW)
  const titles = result.hits?.map(({ title, snippet }) => `${title}: ${snippet}`).join('\n')
  return clipText(titles || result.text, PREVIEW)
}
