import { countTokens, IMAGE_TOKENS } from '@youworker/runtime/text/count-tokens'
import type { ModelMessage } from './model-port.ts'

/** What one call of the model used. */
export interface CallUse {
  readonly tokens_in: number
  readonly tokens_out: number
  /** The model did not count. */
  readonly estimated: boolean
  readonly latency_ms: number | null
}

export const NO_USE: CallUse = { tokens_in: 0, tokens_out: 0, estimated: false, latency_ms: null }

/** Estimated tokens around each message. */
const FRAME = 8

/** About how many tokens of a conversation the model was given; `most` is its window. */
export function estimatePrompt(messages: readonly ModelMessage[], most: number): number {
  let tokens = 0
  for (const message of messages.toReversed()) {
    tokens += FRAME + countTokens(message.content) + imageTokens(message)
    if (tokens >= most) return most
  }
  return tokens
}

export const imageTokens = (message: ModelMessage): number =>
  message.role === 'user' && message.images ? message.images.length * IMAGE_TOKENS : 0
