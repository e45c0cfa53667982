import type { ModelParameters } from '@youworker/contracts/agent/model'
import type { RunEntryBody } from '@youworker/contracts/agent/run-log'
import { LIMITS } from '@youworker/contracts/limits'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import { metrics } from '@youworker/runtime/health/metrics'
import { ModelError } from '@youworker/runtime/model-error'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { cleanText, cutText } from '@youworker/runtime/text/text'
import { CitationFilter } from '../citations/citation-filter.ts'
import type { ModelChunk, ModelInfo, ModelMessage, ModelPort, ModelTool, ModelToolCall } from '../models/model-port.ts'
import type { CallUse } from '../models/call-use.ts'
import type { CallRecord, StoredPrompt } from '../steps/call-record.ts'
import type { RunState } from '../runs/run-state.ts'
import type { Strategy } from '../strategies/strategy.ts'
import { CallMeter } from './call-meter.ts'
import { fitContext } from './fit-context.ts'
import { CUT, LONGEST_NOTICE } from './notices.ts'
import { OverlapFilter } from './overlap-filter.ts'
import { ownPrompt } from './system-prompt.ts'

/** Part of the model's context window that is kept free for its answer. */
const ANSWER_SHARE = 0.25
/** Most tool calls of one answer; further ones are dropped. */
const MAX_CALLS = 16
/** UTF-16 units after which a call is ended although its text is still short: it thinks, repeats or writes blanks without end. */
const MOST_WRITTEN = 4 * LIMITS.answer
const EMPTY = 'The model gave an empty answer; ask again, or choose another model.'
const HALF_CHARACTER = /[\uD800-\uDBFF]$/

interface ModelTurn extends CallUse {
  readonly finish: 'stop' | 'length' | undefined
  readonly tool_calls: readonly ModelToolCall[]
  /** The answer reached its longest while the model was still writing. */
  readonly cut: boolean
  readonly record: CallRecord
}

interface AnswerOptions {
  readonly info: ModelInfo
  readonly tools: readonly ModelTool[]
  readonly strategy: Strategy
  readonly signal: AbortSignal
  /** Called when the call has waited for its turn and begins. */
  readonly onTurn: () => void
}

/** Makes one call of the model. Its text goes into the run's log as it arrives. What a call that fails has used is noted too. */
export async function streamAnswer(
  model: ModelPort,
  state: RunState,
  { info, tools, strategy, signal, onTurn }: AnswerOptions,
): Promise<ModelTurn> {
  // Called from outside of the run, where nobody could catch that an earlier entry is lost: what is said next throws as well.
  const say = (data: Extract<RunEntryBody, { event: 'status' }>['data']) => {
    try {
      state.log.emit({ event: 'status', data })
    } catch {
      // Said above.
    }
  }
  const onQueued = (position: number | undefined) => {
    if (position !== undefined) return say({ stage: 'queued', position })
    say({ stage: 'thinking' })
    meter.restart()
    onTurn()
  }
  const onWaiting = () => say({ stage: 'waiting' })
  const { messages, prompt } = conversation(state, { tools, strategy, info })
  const user = state.run.user_id
  const onAsked = (backend: string) => meter.askedAt(backend)
  const asked = { model: info, messages, tools, parameters: parametersOf(state), signal, user, onQueued, onWaiting, onAsked }
  const request = strategy.asked(asked)
  const meter = new CallMeter(request, prompt)
  try {
    const answer = await readAnswer(strategy.read(model.chat(request)), state, meter, signal)
    return { ...answer, ...meter.use(), record: meter.record }
  } catch (error) {
    state.modelCalls.broke(meter.use(), meter.record)
    throw error
  } finally {
    const { tokens_in, tokens_out } = meter.use()
    metrics.modelTokens.labels(info.name, 'in').inc(tokens_in)
    metrics.modelTokens.labels(info.name, 'out').inc(tokens_out)
  }
}

async function readAnswer(
  chunks: AsyncIterable<ModelChunk>,
  state: RunState,
  meter: CallMeter,
  signal: AbortSignal,
): Promise<Pick<ModelTurn, 'tool_calls' | 'cut' | 'finish'>> {
  const overlap = new OverlapFilter(state.partial)
  const citations = new CitationFilter(state.book.isHit)
  citations.resume(state.log.text)
  const tool_calls: ModelToolCall[] = []
  const words = new WholeCharacters()
  const thoughts = new WholeCharacters()
  let cut = false
  let finish: ModelTurn['finish']
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    meter.add(chunk)
    finish = chunk.finish ?? finish
    if (chunk.thinking !== '') state.thoughtStreamed(thoughts.push(chunk.thinking))
    const text = words.push(chunk.text)
    tool_calls.push(...chunk.tool_calls.slice(0, MAX_CALLS - tool_calls.length))
    cut = (text !== '' && !addText(state, citations.push(overlap.push(text)))) || meter.length > MOST_WRITTEN
    if (cut) break
  }
  signal.throwIfAborted()
  if (!cut) addText(state, citations.push(overlap.end()) + citations.end())
  if (tool_calls.length === 0 && state.partial.trim() === '') throw new ModelError('failed', EMPTY)
  return { tool_calls, cut, finish: cut ? 'length' : finish }
}

/** Servers that count in UTF-16 may send the rest of a character with the next token. */
class WholeCharacters {
  #half = ''

  push(part: string): string {
    const text = this.#half + part
    this.#half = HALF_CHARACTER.exec(text)?.[0] ?? ''
    return cleanText(text.slice(0, text.length - this.#half.length))
  }
}

/** False when the answer reached its limit; it then ends with a note. */
function addText(state: RunState, text: string): boolean {
  if (text === '') return true
  const left = LIMITS.answer - CUT.length - LONGEST_NOTICE - state.log.text.length
  const fits = text.length <= left
  state.textStreamed(fits ? text : `${cutText(text, left)}${CUT}`)
  faultPoint('mid_stream')
  return fits
}

/** What an earlier attempt wrote counts against the most that may be written. */
function parametersOf({ settings: { parameters = {} }, partial }: RunState): ModelParameters {
  const { max_tokens } = parameters
  return max_tokens === undefined ? parameters : { ...parameters, max_tokens: Math.max(1, max_tokens - countTokens(partial)) }
}

/** The prompt, and the same as it is stored: before the strategy writes it in its own way. */
function conversation(
  state: RunState,
  { tools, strategy, info }: Pick<AnswerOptions, 'tools' | 'strategy' | 'info'>,
): { messages: readonly ModelMessage[]; prompt: StoredPrompt } {
  const { summary, history, messages: turn, settings, sessionPrompt } = state
  const context = Math.min(info.context, settings.parameters?.num_ctx ?? Infinity)
  const own = ownPrompt(settings, strategy, tools)
  const given = [own, sessionPrompt].filter((text) => text !== '').join('\n\n')
  const told = [given, settings.instructions ?? ''].filter((text) => text !== '')
  const system = told.length === 0 ? undefined : ({ role: 'system', content: told.join('\n\n') } as const)
  const fitted = fitContext({ system, summary, history, turn }, Math.floor(context * (1 - ANSWER_SHARE)))
  const messages = state.contextUse.given(fitted)
  const refs = state.promptRefs()
  const stored = messages.slice(system ? 1 : 0).map((message) => refs.get(message) ?? message)
  return { messages, prompt: { system: given, messages: stored, tools: tools.map(({ name }) => name) } }
}
