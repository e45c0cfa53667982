import { countTokens } from '@youworker/runtime/text/count-tokens'
import type { ModelChunk, ModelRequest } from '../models/model-port.ts'
import { type CallUse, estimatePrompt } from '../models/call-use.ts'

/** Measures one call of the model, also one that does not come to its end. */
export class CallMeter {
  readonly #request: Pick<ModelRequest, 'messages' | 'model'>
  #began = performance.now()
  #written = ''
  #parts = 0
  #usage: ModelChunk['usage']

  constructor(request: Pick<ModelRequest, 'messages' | 'model'>) {
    this.#request = request
  }

  /** UTF-16 units that the model wrote, what it thought included. */
  get length(): number {
    return this.#written.length
  }

  /** The call waited for its turn, and begins now. */
  restart(): void {
    this.#began = performance.now()
  }

  add({ text, thinking, tool_calls, usage }: ModelChunk): void {
    this.#parts += 1
    this.#written += text + thinking + (tool_calls.length > 0 ? JSON.stringify(tool_calls) : '')
    if (usage) this.#usage = usage
  }

  /** The model's own counts, or estimates where it gave none. A call that was never answered used nothing that is known. */
  use(): CallUse {
    const { tokens_in, tokens_out } = this.#usage ?? {}
    const latency_ms = Math.round(performance.now() - this.#began)
    if (this.#parts === 0) return { tokens_in: 0, tokens_out: 0, estimated: false, latency_ms }
    const { messages, model } = this.#request
    return {
      tokens_in: tokens_in ?? estimatePrompt(messages, model.context),
      tokens_out: tokens_out ?? countTokens(this.#written),
      estimated: tokens_in === undefined || tokens_out === undefined,
      latency_ms,
    }
  }
}
