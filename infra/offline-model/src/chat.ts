import { countTokens } from '@youworker/runtime/text/count-tokens'
import { answer, type Reply, restOf, splitBegun } from './answer.ts'
import { generate, type Generation, type Step } from './generate.ts'
import type { ScriptedReply } from './script.ts'
import type { ChatRequest } from './wire.ts'

/** Thrown when the script demands that the connection is cut. */
export class Dropped extends Error {
  override readonly name = 'Dropped'
}

const MALFORMED = '{"model":"youworker-offline","message":{"role":"assist'

export function planChat(request: ChatRequest, script: ScriptedReply | undefined, tokensPerSecond: number): Generation {
  const most = request.options?.num_predict ?? 0
  return {
    reply: scripted(request, script) ?? answer(request),
    tokensPerSecond: script?.tokens_per_second ?? tokensPerSecond,
    maxTokens: most > 0 ? most : Infinity,
    faults: script,
  }
}

function scripted({ messages }: ChatRequest, script: ScriptedReply | undefined): Reply | undefined {
  if (script?.echo) return { text: JSON.stringify(messages.map(({ role, content }) => ({ role, content }))), toolCalls: [] }
  if (script?.text === undefined && script?.tool_calls === undefined) return undefined
  const { begun } = splitBegun(messages)
  const text = script.text ?? ''
  return {
    text: begun === '' ? text : restOf(text, begun),
    toolCalls: (script.tool_calls ?? []).map((call) => ({ function: call })),
  }
}

/** Yields NDJSON lines, the last one with `done: true` and the token counts. Throws {@link Dropped}. */
export async function* chatLines(request: ChatRequest, generation: Generation, signal: AbortSignal): AsyncGenerator<string> {
  const clock = startClock(request)
  for await (const steps of generate(generation, signal)) {
    const drop = steps.some(({ kind }) => kind === 'drop')
    const lines = steps.flatMap((step) => lineOf(step, request.model, clock))
    if (lines.length > 0) yield `${lines.join('\n')}\n`
    if (drop) throw new Dropped()
  }
}

/** The whole answer as one body: Ollama's `stream: false`. Throws {@link Dropped}. */
export async function chatOnce(request: ChatRequest, generation: Generation, signal: AbortSignal): Promise<string> {
  const clock = startClock(request)
  let content = ''
  let thinking = ''
  let end = {}
  let malformed = false
  for await (const step of flat(generate(generation, signal))) {
    if (step.kind === 'drop') throw new Dropped()
    if (step.kind === 'malformed') malformed = true
    if (step.kind === 'thought') thinking += step.text
    if (step.kind === 'token') content += step.text
    if (step.kind === 'end') end = { done: true, done_reason: step.reason, ...clock(step.tokens) }
  }
  const { toolCalls } = generation.reply
  const thought = thinking === '' ? {} : { thinking }
  const message = { role: 'assistant', content, ...thought, ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}) }
  return malformed ? MALFORMED : JSON.stringify({ model: request.model, created_at: new Date().toISOString(), message, ...end })
}

async function* flat(batches: AsyncIterable<readonly Step[]>): AsyncGenerator<Step> {
  for await (const batch of batches) yield* batch
}

function lineOf(step: Step, model: string, clock: ReturnType<typeof startClock>): string[] {
  const line = (message: object, rest: object) =>
    JSON.stringify({ model, created_at: new Date().toISOString(), message: { role: 'assistant', ...message }, ...rest })
  switch (step.kind) {
    case 'thought':
      return [line({ content: '', thinking: step.text }, { done: false })]
    case 'token':
      return [line({ content: step.text }, { done: false })]
    case 'calls':
      return [line({ content: '', tool_calls: step.calls }, { done: false })]
    case 'malformed':
      return [MALFORMED]
    case 'drop':
      return []
    case 'end':
      return [line({ content: '' }, { done: true, done_reason: step.reason, ...clock(step.tokens) })]
  }
}

/** Returns a function that makes the token counts and durations (ns, as Ollama's) of the last line. */
function startClock({ messages }: ChatRequest) {
  const start = performance.now()
  return (tokens: number) => {
    const total = Math.round((performance.now() - start) * 1e6)
    return {
      total_duration: total,
      load_duration: 0,
      prompt_eval_count: messages.reduce((sum, { content }) => sum + 4 + countTokens(content), 0),
      prompt_eval_duration: 0,
      eval_count: tokens,
      eval_duration: total,
    }
  }
}
