import { LIMITS } from '@youworker/contracts/limits'
import { faultPoint } from '@youworker/runtime/fault-point'
import { metrics } from '@youworker/runtime/health/metrics'
import { CitationFilter } from './citation-filter.ts'
import { fitContext } from './fit-context.ts'
import type { ModelInfo, ModelMessage, ModelPort, ModelTool, ModelToolCall } from '../models/model-port.ts'
import type { OpenRun } from '../runs/open-run.ts'
import { sinceMs } from '../runs/run-finisher.ts'
import { systemPrompt } from './system-prompt.ts'

/** Part of the model's window that is kept free for its answer. */
const ANSWER_SHARE = 0.25
const MAX_CALLS = 16
const CUT = '\n\n(The answer was cut here: it reached its longest.)'
/** Servers that count in UTF-16 may send the rest of a character with the next token. */
const HALF_CHARACTER = /[\uD800-\uDBFF]$/
/** What JSON and terminals choke on; no answer needs it. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/gu

export interface ModelTurn {
  readonly tool_calls: readonly ModelToolCall[]
  readonly tokens_in: number
  readonly tokens_out: number
  readonly latency_ms: number
  /** The model would have gone on. */
  readonly cut: boolean
}

interface Question {
  readonly info: ModelInfo
  readonly tools: readonly ModelTool[]
  readonly signal: AbortSignal
}

/** One call of the model: its text goes into the run's log as it comes, through the citation filter. */
export async function streamAnswer(model: ModelPort, open: OpenRun, { info, tools, signal }: Question): Promise<ModelTurn> {
  const filter = new CitationFilter(open.record.book.isHit)
  filter.resume(open.text)
  const began = performance.now()
  const onWaiting = () => open.emit({ event: 'status', data: { stage: 'waiting' } })
  const request = { model: info, messages: conversation(open, tools.length > 0, info), tools, signal, onWaiting }
  const tool_calls: ModelToolCall[] = []
  let usage = { tokens_in: 0, tokens_out: 0 }
  let cut = false
  let half = ''
  for await (const chunk of model.chat(request)) {
    signal.throwIfAborted()
    const text = half + chunk.text
    half = HALF_CHARACTER.exec(text)?.[0] ?? ''
    if (text !== half) cut = !say(open, filter.push(clean(text.slice(0, text.length - half.length))))
    tool_calls.push(...chunk.tool_calls)
    if (chunk.usage) usage = chunk.usage
    if (cut) break
  }
  signal.throwIfAborted()
  if (!cut) say(open, filter.end())
  metrics.modelTokens.labels(info.name, 'in').inc(usage.tokens_in)
  metrics.modelTokens.labels(info.name, 'out').inc(usage.tokens_out)
  return { tool_calls: tool_calls.slice(0, MAX_CALLS), ...usage, latency_ms: Math.round(performance.now() - began), cut }
}

const clean = (text: string): string => text.toWellFormed().replace(CONTROLS, '')

/** False when the answer has become too long; it then ends with a mark. */
function say(open: OpenRun, text: string): boolean {
  if (text === '') return true
  const room = LIMITS.answer - CUT.length - open.text.length
  const fits = text.length <= room
  if (open.ttft_ms === null && open.text === '') {
    open.ttft_ms = sinceMs(open.record.run.created_at)
    metrics.modelTtft.labels(open.model).observe(open.ttft_ms / 1_000)
  }
  open.emit({ event: 'token', data: { text: fits ? text : `${text.slice(0, Math.max(0, room))}${CUT}` } })
  faultPoint('mid_stream')
  return fits
}

function conversation(open: OpenRun, hasTools: boolean, info: ModelInfo): ModelMessage[] {
  const system: ModelMessage = { role: 'system', content: systemPrompt(hasTools) }
  const begun: ModelMessage[] = open.partial === '' ? [] : [{ role: 'assistant', content: open.partial }]
  const turn = [...open.messages, ...begun]
  return fitContext({ system, history: open.record.history, turn }, Math.floor(info.context * (1 - ANSWER_SHARE)))
}
