import type { ModelMessage } from '../models/model-port.ts'

/** Tokens by rule of thumb: 3 bytes of UTF-8 each, and a few for the frame of a message. */
export const approximateTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 3)
const FRAME = 8
const SHORTENED = 300

const costOf = (message: ModelMessage): number => {
  const calls = message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : ''
  return FRAME + approximateTokens(message.content) + approximateTokens(calls)
}

interface Conversation {
  readonly system: ModelMessage
  /** Earlier turns, oldest first. */
  readonly history: readonly ModelMessage[]
  /** The user's message and what the run did since. */
  readonly turn: readonly ModelMessage[]
}

/** The conversation within `budget` tokens: the oldest turns are left out first, then the oldest tool results are cut short. */
export function fitContext({ system, history, turn }: Conversation, budget: number): ModelMessage[] {
  let left = budget - costOf(system)
  const shortened = shortenTools(turn, left)
  left -= sum(shortened)
  let first = history.length
  while (first > 0) {
    const cost = costOf(history[first - 1] ?? system)
    if (cost > left) break
    left -= cost
    first -= 1
  }
  // A conversation begins with a question.
  while (history[first]?.role === 'assistant') first += 1
  return [system, ...history.slice(first), ...shortened]
}

const sum = (messages: readonly ModelMessage[]): number => messages.reduce((total, message) => total + costOf(message), 0)

function shortenTools(turn: readonly ModelMessage[], budget: number): ModelMessage[] {
  const messages = [...turn]
  let cost = sum(messages)
  const newest = messages.findLastIndex(({ role }) => role === 'tool')
  for (const [place, message] of turn.entries()) {
    if (cost <= budget) break
    if (message.role !== 'tool') continue
    // The newest result is what the model is about to read: it keeps as much as there is room for.
    const room = place === newest ? Math.max(SHORTENED, (budget - cost) * 3 + Buffer.byteLength(message.content)) : SHORTENED
    messages[place] = { ...message, content: `${cutBytes(message.content, room)}\n(cut: the conversation is too long)` }
    cost = sum(messages)
  }
  return messages
}

/** Never half a character. */
const cutBytes = (text: string, bytes: number): string =>
  new TextDecoder().decode(Buffer.from(text).subarray(0, Math.max(0, bytes)), { stream: true })
