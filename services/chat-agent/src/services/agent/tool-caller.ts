import type { FoundPassage } from '@youworker/contracts/agent/found-passage'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { AppError } from '@youworker/contracts/errors'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import { metrics } from '@youworker/runtime/health/metrics'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { SearchResults } from '../citations/citation-book.ts'
import { cutText } from '@youworker/runtime/text/text'
import { clipArgs } from '../clip.ts'
import type { OutageWait } from '../runs/outage-wait.ts'
import type { RunLog } from '../runs/run-log.ts'
import type { RunState } from '../runs/run-state.ts'
import { sealContext } from '../sealed-fields.ts'
import type { ToolBox } from '../tools/tool-box.ts'
import { isAway, ToolError } from '../tools/tool-port.ts'
import { type EndedToolCall, isEnded, type ToolCall, type ToolOutput } from '../tools/tool-call.ts'

const SHOWN_ARGS = 4 * 1024
const PREVIEW = 500
const MAX_ERROR = 1_000

type Result = Pick<EndedToolCall, 'status' | 'result' | 'error' | 'is_away'>

interface CallOptions {
  readonly tools: ToolBox
  readonly wait: OutageWait
  readonly signal: AbortSignal
  /** Ids of calls of which it is stored already that this attempt makes them. */
  readonly marked: ReadonlySet<string>
}
type TimedResult = Result & { readonly latency_ms: number }

/** Makes the tool calls of a run. A call is marked as called before it is made, and its result is stored after. */
export class ToolCaller {
  readonly #uow: ChatAgentUnitOfWork

  constructor(uow: ChatAgentUnitOfWork) {
    this.#uow = uow
  }

  /** Rejects with the signal's reason when it aborts. A call that an earlier attempt ended keeps its result. */
  async call(state: RunState, call: ToolCall, options: CallOptions): Promise<EndedToolCall> {
    if (isEnded(call)) return call
    if (!state.log.toolEvents.some(({ run_id }) => run_id === call.id)) this.#logStart(state, call, options)
    const isUnsafe = call.called && !call.idempotent
    const result = isUnsafe
      ? { ...unknown(state.log, call, 'The run was interrupted while it ran.'), latency_ms: 0 }
      : await this.#make(state, call, options)
    await this.#store(state, call, result)
    const ended: EndedToolCall = { ...call, ...result }
    this.logEnd(state, ended, options)
    metrics.toolRuns.labels(call.name, result.status).inc()
    return ended
  }

  logEnd(
    { log }: Pick<RunState, 'log'>,
    { id, name, status, result, error, latency_ms }: EndedToolCall,
    { tools }: Pick<CallOptions, 'tools'>,
  ): void {
    const found = tools.scopeOf(name)?.with_results ? { found: foundBy(result) } : {}
    const result_preview = previewOf(result, error)
    const ended = status === 'success' ? 'end' : 'error'
    const ts = new Date().toISOString()
    const told = { latency_ms: latency_ms ?? 0, result_preview, ts, run_id: id, ...found }
    log.emit({ event: 'tool', data: { tool: name, status: ended, ...told } })
  }

  #logStart({ log }: RunState, { id, name, args }: ToolCall, { tools }: CallOptions): void {
    const ts = new Date().toISOString()
    const search = tools.scopeOf(name) ? { file_search: true as const } : {}
    log.emit({
      event: 'tool',
      data: { tool: name, status: 'start', args: clipArgs(args, SHOWN_ARGS), ts, run_id: id, ...search },
    })
  }

  async #make({ run, attempt, log }: RunState, call: ToolCall, options: CallOptions): Promise<TimedResult> {
    if (!options.marked.has(call.id)) {
      await this.#uow.in([run.space_id]).write(async ({ jobs, toolRuns }) => {
        await jobs.fence(run.id, attempt)
        await toolRuns.markCalled([call.id])
      })
    }
    options.signal.throwIfAborted()
    const started = performance.now()
    const result = await this.#try(log, call, options)
    faultPoint('after_tool_call_before_result')
    return { ...result, latency_ms: Math.round(performance.now() - started) }
  }

  /** Asks again, for as long as the run waits, when the call surely did not begin or when repeating it is harmless. */
  async #try(log: RunLog, call: ToolCall, { tools, wait, signal }: CallOptions): Promise<Result> {
    const { id, name, args, idempotent } = call
    const problem = tools.problemOf(name, args)
    if (problem !== undefined) return failed(problem)
    try {
      const { text, is_error, structured } = await wait.repeat(
        () => tools.call(name, { args, id }, signal),
        (error) => isAway(error, idempotent),
      )
      if (is_error) return failed(text || 'The tool failed.')
      const found = tools.find(name)?.own === true ? SearchResults.safeParse(structured).data : undefined
      const isNarrow = tools.scopeOf(name) !== undefined
      // A tool server of an earlier version, which does not narrow, must not widen what was asked for.
      const results = isNarrow ? found?.results.filter(({ file }) => file != null) : found?.results
      const hits = found && { hits: results, searched: found.searched, incomplete: found.incomplete }
      return { status: 'success', result: { text, ...hits }, error: null, is_away: false }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') throw error
      if (error instanceof ToolError && error.failure === 'lost' && !idempotent) return unknown(log, call, error.message)
      return failed(error instanceof AppError ? error.message : 'The tool could not be called.', isAway(error, idempotent))
    }
  }

  async #store({ run, space, attempt }: RunState, { id, name }: ToolCall, outcome: TimedResult): Promise<void> {
    const { status, result, error, is_away, latency_ms } = outcome
    const preview = space.sealText(previewOf(result, error), sealContext.preview(id))
    const sealedResult = result && space.sealText(JSON.stringify(result), sealContext.result(id))
    const sealedError = error === null ? null : space.sealText(error, sealContext.error(id))
    await this.#uow.in([run.space_id]).write(async ({ jobs, toolRuns, outbox }) => {
      await jobs.fence(run.id, attempt)
      await toolRuns.end(id, { status, result: sealedResult, preview, error: sealedError, is_away, latency_ms })
      const { user_id, session_id } = run
      outbox.add(chatAgent.toolRunFinished, { tool_run_id: id, user_id, session_id, tool_name: name, status, latency_ms })
    })
  }
}

const failed = (error: string, is_away = false): Result => ({
  status: 'error',
  result: null,
  error: cutText(error, MAX_ERROR, '…'),
  is_away,
})

function unknown(log: RunLog, { name }: ToolCall, why: string): Result {
  const error = `outcome unknown: ${why} Whether ${name} did its work is not known, and repeating it might do harm.`
  log.note('warning', `${name}: ${error}`)
  return { status: 'unknown', result: null, error: cutText(error, MAX_ERROR, '…'), is_away: false }
}

/** UTF-16 units of the passages that the log tells of one search, and of each. */
const MOST_TOLD = { all: 32 * 1024, each: 2_000 } as const

function foundBy(result: ToolOutput | null): FoundPassage[] {
  let told = 0
  return (result?.hits ?? []).flatMap(({ document_id, score, text, file }) => {
    const passage = cutText(text, MOST_TOLD.each, '…')
    told += passage.length
    return file && told <= MOST_TOLD.all ? [{ document_id, score, text: passage, ...file }] : []
  })
}

function previewOf(result: ToolOutput | null, error: string | null): string {
  if (result === null) return cutText(error ?? '', PREVIEW, '…')
  const titles = result.hits?.map(({ title, snippet }) => `${title}: ${snippet}`).join('\n')
  return cutText(titles || result.text, PREVIEW, '…')
}
