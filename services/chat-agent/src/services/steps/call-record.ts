import { cutText } from '@youworker/runtime/text/text'
import { bytesOf, clipArgs } from '../clip.ts'
import type { ModelMessage, ModelToolCall } from '../models/model-port.ts'

/**
 * A message of a prompt that is stored elsewhere: one of the session, the n-th of the conversation that the client sent, or the n-th from
 * the question on, as `restoreTurn` has them. So a long conversation is not stored again with each call.
 */
export type PromptRef = { readonly message: string } | { readonly sent: number } | { readonly turn: number }

export interface StoredPrompt {
  /** Ours, which stands before the instructions of the run. */
  readonly system: string
  readonly messages: readonly (PromptRef | ModelMessage)[]
  /** Names of those that were offered. */
  readonly tools: readonly string[]
}

/** What a call of the model was given and what it answered, as it is stored. */
export interface StoredCall {
  /** `null`: nobody knows. */
  readonly prompt: StoredPrompt | null
  readonly text: string
  readonly thinking: string
  readonly tool_calls: readonly ModelToolCall[]
  readonly cut?: true
}

/** What is stored of a call of the model beside what it used. */
export interface CallRecord {
  readonly started_at: string | null
  readonly backend: string | null
  readonly num_ctx: number | null
  readonly max_tokens: number | null
  readonly content: StoredCall
}

export const UNKNOWN = { started_at: null, backend: null, num_ctx: null, max_tokens: null } as const

/** Of a call whose process ended. */
export const lostCall = (text: string, thinking: string): CallRecord => ({
  ...UNKNOWN,
  content: storedCall({ prompt: null, text, thinking, tool_calls: [] }),
})

/** UTF-16 units that are stored of one call, and bytes of its tool calls. */
const KEPT = { text: 128 * 1024, thinking: 64 * 1024, message: 96 * 1024, calls: 64 * 1024 } as const

/** Bounded, for storage. */
export function storedCall({ prompt, text, thinking, tool_calls }: Omit<StoredCall, 'cut'>): StoredCall {
  const calls = bytesOf(tool_calls) <= KEPT.calls ? tool_calls : tool_calls.map(clipCall(KEPT.calls / tool_calls.length))
  const messages = prompt?.messages.map((part) => ('content' in part ? cutMessage(part) : part))
  const kept = {
    prompt: prompt && { ...prompt, messages: messages ?? [] },
    text: cutText(text, KEPT.text),
    thinking: cutText(thinking, KEPT.thinking),
    tool_calls: calls,
  }
  const isCut =
    kept.text !== text ||
    kept.thinking !== thinking ||
    calls !== tool_calls ||
    messages?.some((part, n) => part !== prompt?.messages[n])
  return isCut ? { ...kept, cut: true } : kept
}

const clipCall =
  (bytes: number) =>
  ({ name, arguments: args }: ModelToolCall): ModelToolCall => ({
    name,
    arguments: clipArgs(args, Math.floor(bytes) - name.length),
  })

const cutMessage = (message: ModelMessage): ModelMessage =>
  message.content.length <= KEPT.message ? message : { ...message, content: cutText(message.content, KEPT.message) }
