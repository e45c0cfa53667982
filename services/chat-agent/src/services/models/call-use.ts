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
export const FRAME = 8

/** Messages do not change, and are counted again for each call of the model. */
const counted = new WeakMap<ModelMessage, number>()

/** About how many tokens one message of a conversation is, its tool calls and images included. */
export function estimateMessage(message: ModelMessage): number {
  const known = counted.get(message)
  if (known !== undefined) return known
  const calls = message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : ''
  const tokens = FRAME + countTokens(message.content) + countTokens(calls) + imageTokens(message)
  counted.set(message, tokens)
  return tokens
}

/** About how many tokens of a conversation the model was given; `most` is its window. */
export function estimatePrompt(messages: readonly ModelMessage[], most: number): number {
  let tokens = 0
  for (const message of messages.toReversed()) {
    tokens += estimateMessage(message)
    if (tokens >= most) return most
  }
  return tokens
}

const imageTokens = (message: ModelMessage): number =>
  message.role === 'user' && message.images ? message.images.length * IMAGE_TOKENS : 0
