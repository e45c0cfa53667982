import type { LeftOut } from '@youworker/contracts/documents/search'
import type { ModelStepRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { LIMITS } from '@youworker/contracts/limits'
import { cutText } from '@youworker/runtime/text/text'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { metrics } from '@youworker/runtime/health/metrics'
import type { GroupPrompt } from '../ports.ts'
import { ContextUse } from '../summaries/context-use.ts'
import { AnswerSources } from '../cache/answer-sources.ts'
import type { CitationBook } from '../citations/citation-book.ts'
import type { ModelInfo, ModelMessage } from '../models/model-port.ts'
import { type EndedToolCall, type ToolCall, toolMessage } from '../tools/tool-call.ts'
import { type CallUse, estimatePrompt } from '../models/call-use.ts'
import { type CallRecord, lostCall, type PromptRef } from '../steps/call-record.ts'
import type { LoadedRun } from './load-run.ts'
import { ModelCalls } from './model-calls.ts'
import { type LogOutputs, RunLog } from './run-log.ts'
import type { RunSettings } from './run-settings.ts'
import { sealContext } from '../sealed-fields.ts'
import { sinceMs } from '../since-ms.ts'

const THOUGHT_CUT = '\n(The thoughts are cut here: they reached the most that is shown.)'

interface UnfinishedCall {
  readonly said?: string | undefined
  readonly error?: string | undefined
  /** Those of this attempt, unless it was another one's. */
  readonly attempt?: number
  readonly text_end?: number
}

/** The live state of one attempt at a run. Its methods record what happened; only they change it. */
export class RunState {
  readonly run: RunRow
  readonly settings: RunSettings
  readonly attempt: number
  readonly space: SpaceSealer
  readonly book: CitationBook
  /** What stands for the turns before `history`. */
  readonly summary: readonly ModelMessage[]
  /** Earlier turns of the session, oldest first. */
  readonly history: readonly ModelMessage[]
  readonly contextUse: ContextUse
  readonly #refs: LoadedRun['refs']
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
  /** The attempt that ended the newest call of the model, as far as it is stored. */
  readonly #answeredBy: number
  #model: string
  #leftOut: readonly LeftOut[] = []
  #sessionPrompt = ''
  #group: GroupPrompt | undefined
  #canTitle = false
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
    this.summary = loaded.summary
    this.history = loaded.history
    this.#refs = loaded.refs
    this.log = new RunLog({ run, space, attempt, transcript, isAppendOnly: loaded.settings.append_only === true }, outputs)
    this.contextUse = new ContextUse(this.log)
    this.modelCalls = new ModelCalls(loaded)
    this.#loadedCalls = calls
    for (const call of calls) this.#noteAway(call)
    this.#messages = [...loaded.messages]
    this.#pendingCalls = loaded.pendingCalls
    this.#toolCalls = calls.length
    this.#iterations = loaded.iterations
    this.#answeredBy = loaded.answeredBy
    this.#model = run.model ?? ''
    this.#answer = { start: loaded.answered, end: loaded.answered }
  }

  /** Name of the model; empty until one was chosen. */
  get model(): string {
    return this.#model
  }

  /** What the session and its group add to the system prompt. */
  get sessionPrompt(): string {
    return this.#sessionPrompt
  }

  /** That of the session, if the user is in it. */
  get group(): GroupPrompt | undefined {
    return this.#group
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

  /** Where the messages of a prompt are stored. */
  promptRefs(): ReadonlyMap<ModelMessage, PromptRef> {
    const refs = new Map(this.#refs)
    for (const [turn, message] of this.#messages.entries()) refs.set(message, { turn })
    return refs
  }

  /** The text of the model's unfinished answer. */
  get partial(): string {
    return this.log.text.slice(this.#answer.end)
  }

  /** Planned calls whose results the model does not have, in their order. Behind one without a result may be some that have one. */
  get pendingCalls(): readonly ToolCall[] {
    return this.#pendingCalls
  }

  /** What the last search could not look at. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut
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

  promptRead({ text, group }: { readonly text: string; readonly group: GroupPrompt | undefined }): void {
    this.#sessionPrompt = text
    this.#group = group
  }

  modelChosen({ name, notice }: Pick<ModelInfo, 'name' | 'notice'>): void {
    this.#model = name
    this.#canTitle = notice === undefined
  }

  /** The model can write a title: one with a notice, as the offline model, is no real one. */
  get canTitle(): boolean {
    return this.#canTitle
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

  /** What the model thinks, for a run that shows it. */
  thoughtStreamed(text: string): void {
    if (this.settings.show_thinking !== true || text === '') return
    const left = LIMITS.thinking - this.log.thoughtLength
    if (left > 0) this.log.think(text.length <= left ? text : `${cutText(text, left)}${THOUGHT_CUT}`)
  }

  /** Counts the calls of attempts whose process ended, as far as it is known of them. `mostTokens`: the model's window. */
  countInterrupted(mostTokens: number): void {
    const isInCall = this.#pendingCalls.length === 0
    const since = this.log.attempts.filter(({ attempt }) => attempt >= Math.max(1, this.#answeredBy))
    for (const { attempt, text_end, isAsking, thought } of since) {
      const lost = this.log.text.slice(Math.max(this.#answer.end, this.modelCalls.countedText), text_end)
      const isKnown = lost !== '' || (isAsking && isInCall)
      if (!isKnown || this.modelCalls.isCounted(this.#iterations + 1, attempt)) continue
      const tokens_in = estimatePrompt([...this.summary, ...this.history, ...this.#messages], mostTokens)
      const use = { tokens_in, tokens_out: countTokens(thought + lost), estimated: true, latency_ms: null }
      this.modelCalls.broke(use, lostCall(lost, thought))
      this.modelUnfinished('interrupted', { attempt, text_end })
    }
  }

  /** The call of the model did not come to its end, and nothing else can come of it. */
  modelUnfinished(reason: 'failed' | 'stopped' | 'interrupted', more: UnfinishedCall = {}): void {
    const ending = { attempt: this.attempt, text_end: this.log.text.length, ...more }
    this.modelCalls.unfinished({ reason, iteration: this.#iterations + 1, model: this.#model, ...ending })
  }

  modelAnswered(
    turn: CallUse & {
      readonly finish?: 'stop' | 'length' | undefined
      readonly record: CallRecord
    },
  ): void {
    this.#finish = turn.finish
    const { tokens_in, tokens_out, estimated } = turn
    const latency_ms = turn.latency_ms ?? 0
    const { id: run_id, space_id } = this.run
    const text_end = this.log.text.length
    this.#iterations += 1
    this.modelCalls.finished(turn)
    this.#answer = { start: this.#answer.end, end: text_end }
    const iteration = this.#iterations
    const { content, ...known } = turn.record
    const call = { run_id, iteration, space_id, model: this.#model, latency_ms, tokens_in, tokens_out, estimated, text_end }
    const finish_reason = content.tool_calls.length > 0 ? 'tool_calls' : (turn.finish ?? null)
    const sealed = this.space.sealText(JSON.stringify(content), sealContext.stepContent(run_id, iteration))
    this.#lastStep = { ...call, ...known, attempt: this.attempt, finish_reason, content: sealed }
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

  #noteAway({ name, status, is_away, result }: ToolCall): void {
    if (result?.hits) this.#leftOut = result.incomplete ?? []
    if (is_away) this.#awayTools.add(name)
    else if (status === 'success') this.#awayTools.delete(name)
  }
}
