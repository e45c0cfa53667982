import type { ModelStepRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { metrics } from '@youworker/runtime/health/metrics'
import { AnswerSources } from '../cache/answer-sources.ts'
import type { CitationBook } from '../citations/citation-book.ts'
import type { ModelMessage } from '../models/model-port.ts'
import { type EndedToolCall, type ToolCall, toolMessage } from '../tools/tool-call.ts'
import { type CallUse, estimatePrompt } from '../models/call-use.ts'
import type { LoadedRun } from './load-run.ts'
import { ModelCalls } from './model-calls.ts'
import { type LogOutputs, RunLog } from './run-log.ts'
import type { RunSettings } from './run-settings.ts'
import { sinceMs } from '../since-ms.ts'

/** The live state of one attempt at a run. Its methods record what happened; only they change it. */
export class RunState {
  readonly run: RunRow
  readonly settings: RunSettings
  readonly attempt: number
  readonly space: SpaceSealer
  readonly book: CitationBook
  /** Earlier turns of the session, oldest first. */
  readonly history: readonly ModelMessage[]
  readonly log: RunLog
  readonly modelCalls: ModelCalls
  readonly sources = new AnswerSources()
  /** Under which its answer may be kept; `undefined` when it may not. */
  cacheKey: Buffer | undefined
  readonly #loadedCalls: readonly ToolCall[]
  readonly #messages: ModelMessage[]
  /** Names of tools whose newest call failed because they were away. */
  readonly #awayTools = new Set<string>()
  #pendingCalls: readonly ToolCall[]
  #toolCalls: number
  #iterations: number
  #model: string
  #finish: 'stop' | 'length' | undefined
  #lastStep: ModelStepRow | undefined
  /** Offset in the run's text where the newest whole answer of the model begins, and where it ends. */
  #answer: { readonly start: number; readonly end: number }

  constructor(loaded: LoadedRun, attempt: number, outputs: LogOutputs) {
    const { run, space, transcript, calls } = loaded
    this.run = run
    this.settings = loaded.settings
    this.attempt = attempt
    this.space = space
    this.book = loaded.book
    this.history = loaded.history
    this.log = new RunLog({ run, space, attempt, transcript, isAppendOnly: loaded.settings.append_only === true }, outputs)
    this.modelCalls = new ModelCalls(loaded)
    this.#loadedCalls = calls
    for (const call of calls) this.#noteAway(call)
    this.#messages = [...loaded.messages]
    this.#pendingCalls = loaded.pendingCalls
    this.#toolCalls = calls.length
    this.#iterations = loaded.iterations
    this.#model = run.model ?? ''
    this.#answer = { start: loaded.answered, end: loaded.answered }
  }

  /** Name of the model; empty until one was chosen. */
  get model(): string {
    return this.#model
  }

  /** Why the newest text of the model ended, when the model said so. */
  get finish(): 'stop' | 'length' | undefined {
    return this.#finish
  }

  /** Calls of the model that ended, over all attempts. */
  get iterations(): number {
    return this.#iterations
  }

  /** Tool calls planned so far, over all attempts. */
  get toolCalls(): number {
    return this.#toolCalls
  }

  /** The newest call of the model that this attempt ended. */
  get lastStep(): ModelStepRow | undefined {
    return this.#lastStep
  }

  /** The conversation from the user's question on. It ends with the unfinished answer that the model must continue, if any. */
  get messages(): readonly ModelMessage[] {
    const { partial } = this
    return partial === '' ? this.#messages : [...this.#messages, { role: 'assistant', content: partial }]
  }

  /** The text of the model's unfinished answer. */
  get partial(): string {
    return this.log.text.slice(this.#answer.end)
  }

  /** Planned calls whose results the model does not have, in their order. Behind one without a result may be some that have one. */
  get pendingCalls(): readonly ToolCall[] {
    return this.#pendingCalls
  }

  /** Names of the tools that the answer had to do without. */
  get awayTools(): ReadonlySet<string> {
    return this.#awayTools
  }

  /** Tool calls whose result an earlier attempt stored without logging their end. */
  get unloggedEnds(): EndedToolCall[] {
    const logged = new Set(this.log.toolEvents.flatMap(({ status, run_id }) => (status === 'start' ? [] : [run_id])))
    return this.#loadedCalls.flatMap((call) => {
      const { id, status } = call
      return status === 'running' || logged.has(id) ? [] : [{ ...call, status }]
    })
  }

  modelChosen(name: string): void {
    this.#model = name
  }

  /** Tools that are missing because their server is away. */
  toolsMissing(names: readonly string[]): void {
    for (const name of names) this.#awayTools.add(name)
  }

  textStreamed(text: string): void {
    if (this.modelCalls.usage.ttft_ms === null && this.log.text === '') {
      const ttft_ms = sinceMs(this.run.created_at)
      this.modelCalls.firstToken(ttft_ms)
      metrics.modelTtft.labels(this.#model).observe(ttft_ms / 1_000)
    }
    this.log.write(text)
  }

  /** Counts the answer of an attempt whose process ended, as far as it was stored. `mostTokens`: the model's window. */
  countInterrupted(mostTokens: number): void {
    const lost = this.log.text.slice(Math.max(this.#answer.end, this.modelCalls.countedText))
    if (lost === '') return
    const tokens_in = estimatePrompt([...this.history, ...this.#messages], mostTokens)
    this.modelCalls.broke({ tokens_in, tokens_out: countTokens(lost), estimated: true, latency_ms: null })
    this.modelUnfinished('interrupted')
  }

  /** The call of the model did not come to its end, and nothing else can come of it. */
  modelUnfinished(reason: 'failed' | 'stopped' | 'interrupted', said?: string): void {
    const ending = { iteration: this.#iterations + 1, model: this.#model, text_end: this.log.text.length }
    this.modelCalls.unfinished({ reason, said, ...ending })
  }

  modelAnswered(turn: CallUse & { readonly finish?: 'stop' | 'length' | undefined }): void {
    this.#finish = turn.finish
    const { tokens_in, tokens_out, estimated } = turn
    const latency_ms = turn.latency_ms ?? 0
    const { id: run_id, space_id } = this.run
    const text_end = this.log.text.length
    this.#iterations += 1
    this.modelCalls.finished(turn)
    this.#answer = { start: this.#answer.end, end: text_end }
    const iteration = this.#iterations
    this.#lastStep = { run_id, iteration, space_id, model: this.#model, latency_ms, tokens_in, tokens_out, estimated, text_end }
  }

  /** The tool calls of the model's newest answer were stored. */
  toolCallsPlanned(calls: readonly ToolCall[]): void {
    this.#toolCalls += calls.length
    this.#pendingCalls = [...this.#pendingCalls, ...calls]
    const tool_calls = calls.map(({ name, args }) => ({ name, arguments: args }))
    const { start, end } = this.#answer
    this.#messages.push({ role: 'assistant', content: this.log.text.slice(start, end), tool_calls })
  }

  /** The result of the first pending call was stored, and those of all before it. */
  toolCallEnded(call: EndedToolCall): void {
    this.#pendingCalls = this.#pendingCalls.filter(({ id }) => id !== call.id)
    this.#messages.push(toolMessage(call, this.book))
    this.sources.add(call)
    this.#noteAway(call)
  }

  #noteAway({ name, status, is_away }: ToolCall): void {
    if (is_away) this.#awayTools.add(name)
    else if (status === 'success') this.#awayTools.delete(name)
  }
}
