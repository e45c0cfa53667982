import { countTokens } from '@youworker/runtime/text/count-tokens'
import type { ModelChunk, ModelRequest, ModelToolCall } from '../models/model-port.ts'
import { type CallUse, estimatePrompt } from '../models/call-use.ts'
import { type CallRecord, storedCall, type StoredPrompt } from '../steps/call-record.ts'

type Request = Pick<ModelRequest, 'messages' | 'model' | 'parameters'>

/** Measures one call of the model and keeps what it says, also when it does not come to its end. */
export class CallMeter {
  readonly #request: Request
  readonly #prompt: StoredPrompt
  #began = performance.now()
  #startedAt = new Date()
  #backend: string | null = null
  #text = ''
  #thinking = ''
  readonly #toolCalls: ModelToolCall[] = []
  #callsLength = 0
  #parts = 0
  #usage: ModelChunk['usage']

  constructor(request: Request, prompt: StoredPrompt) {
    this.#request = request
    this.#prompt = prompt
  }

  /** UTF-16 units that the model wrote, what it thought included. */
  get length(): number {
    return this.#text.length + this.#thinking.length + this.#callsLength
  }

  /** The call waited for its turn, and begins now. */
  restart(): void {
    this.#began = performance.now()
    this.#startedAt = new Date()
  }

  /** A server is asked, or another one after it failed. */
  askedAt(backend: string): void {
    this.#backend = backend
  }

  add({ text, thinking, tool_calls, usage }: ModelChunk): void {
    this.#parts += 1
    this.#text += text
    this.#thinking += thinking
    if (tool_calls.length > 0) {
      this.#toolCalls.push(...tool_calls)
      this.#callsLength += JSON.stringify(tool_calls).length
    }
    if (usage) this.#usage = usage
  }

  /** The model's own counts, or estimates where it gave none. A call that was never answered used nothing that is known. */
  use(): CallUse {
    const { tokens_in, tokens_out } = this.#usage ?? {}
    const latency_ms = Math.round(performance.now() - this.#began)
    if (this.#parts === 0) return { tokens_in: 0, tokens_out: 0, estimated: false, latency_ms }
    const { messages, model } = this.#request
    const calls = this.#toolCalls.length > 0 ? JSON.stringify(this.#toolCalls) : ''
    return {
      tokens_in: tokens_in ?? estimatePrompt(messages, model.context),
      tokens_out: tokens_out ?? countTokens(this.#thinking + this.#text + calls),
      estimated: tokens_in === undefined || tokens_out === undefined,
      latency_ms,
    }
  }

  get record(): CallRecord {
    const { parameters, model } = this.#request
    const { num_ctx = Infinity, max_tokens = null } = parameters
    const window = Math.min(model.context, num_ctx)
    const said = { text: this.#text, thinking: this.#thinking, tool_calls: this.#toolCalls }
    return {
      started_at: this.#startedAt.toISOString(),
      backend: this.#backend,
      num_ctx: Number.isFinite(window) ? window : null,
      max_tokens,
      content: storedCall({ prompt: this.#prompt, ...said }),
    }
  }
}
