import { LIMITS } from '@youworker/contracts/limits'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import { metrics } from '@youworker/runtime/health/metrics'
import { cleanText, cutText } from '@youworker/runtime/text/text'
import { CitationFilter } from '../citations/citation-filter.ts'
import type { ModelInfo, ModelMessage, ModelPort, ModelTool, ModelToolCall } from '../models/model-port.ts'
import type { RunState } from '../runs/run-state.ts'
import { fitContext } from './fit-context.ts'
import { CUT, LONGEST_NOTICE } from './notices.ts'
import { systemPrompt } from './system-prompt.ts'

/** Part of the model's context window that is kept free for its answer. */
const ANSWER_SHARE = 0.25
/** Most tool calls of one answer; further ones are dropped. */
const MAX_CALLS = 16
/** Servers that count in UTF-16 may send the rest of a character with the next token. */
const HALF_CHARACTER = /[\uD800-\uDBFF]$/

interface ModelTurn {
  readonly tool_calls: readonly ModelToolCall[]
  readonly tokens_in: number
  readonly tokens_out: number
  readonly latency_ms: number
  /** The answer reached its longest while the model was still writing. */
  readonly cut: boolean
}

interface AnswerOptions {
  readonly info: ModelInfo
  readonly tools: readonly ModelTool[]
  readonly signal: AbortSignal
}

/** Makes one call of the model. Its text goes through the citation filter into the run's log as it arrives. */
export async function streamAnswer(
  model: ModelPort,
  state: RunState,
  { info, tools, signal }: AnswerOptions,
): Promise<ModelTurn> {
  const filter = new CitationFilter(state.book.isHit)
  filter.resume(state.log.text)
  const began = performance.now()
  const onWaiting = () => state.log.emit({ event: 'status', data: { stage: 'waiting' } })
  const request = { model: info, messages: conversation(state, tools.length > 0, info), tools, signal, onWaiting }
  const tool_calls: ModelToolCall[] = []
  let usage = { tokens_in: 0, tokens_out: 0 }
  let cut = false
  let half = ''
  for await (const chunk of model.chat(request)) {
    signal.throwIfAborted()
    const text = half + chunk.text
    half = HALF_CHARACTER.exec(text)?.[0] ?? ''
    if (text !== half) cut = !addText(state, filter.push(cleanText(text.slice(0, text.length - half.length))))
    tool_calls.push(...chunk.tool_calls.slice(0, MAX_CALLS - tool_calls.length))
    if (chunk.usage) usage = chunk.usage
    if (cut) break
  }
  signal.throwIfAborted()
  if (!cut) addText(state, filter.end())
  metrics.modelTokens.labels(info.name, 'in').inc(usage.tokens_in)
  metrics.modelTokens.labels(info.name, 'out').inc(usage.tokens_out)
  return { tool_calls, ...usage, latency_ms: Math.round(performance.now() - began), cut }
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

function conversation({ history, messages: turn }: RunState, hasTools: boolean, info: ModelInfo): ModelMessage[] {
  const system: ModelMessage = { role: 'system', content: systemPrompt(hasTools) }
  return fitContext({ system, history, turn }, Math.floor(info.context * (1 - ANSWER_SHARE)))
}
