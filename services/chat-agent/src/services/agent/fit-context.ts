import { countTokens, cutTokens } from '@youworker/runtime/text/count-tokens'
import { imageTokens } from '../models/call-use.ts'
import type { ModelMessage } from '../models/model-port.ts'

/** Estimated tokens around each message. */
const FRAME = 8
/** Tokens that an older tool result is cut to. */
const SHORTENED = 100
const NOTE = '\n(cut: the conversation is too long)'

const costOf = (message: ModelMessage): number => {
  const calls = message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : ''
  return FRAME + countTokens(message.content) + countTokens(calls) + imageTokens(message)
}

interface Conversation {
  readonly system: ModelMessage | undefined
  /** Earlier turns, oldest first. */
  readonly history: readonly ModelMessage[]
  /** The user's message and what the run added to it. */
  readonly turn: readonly ModelMessage[]
}

/** The conversation within `budget` tokens: the oldest turns are left out first, then the oldest tool results are cut. */
export function fitContext({ system, history, turn }: Conversation, budget: number): ModelMessage[] {
  let left = budget - (system ? costOf(system) : 0)
  const shortened = shortenTools(turn, left)
  left -= shortened.cost
  let first = history.length
  while (first > 0) {
    const before = history[first - 1]
    const cost = before ? costOf(before) : 0
    if (cost > left) break
    left -= cost
    first -= 1
  }
  // A conversation must begin with a question.
  while (first < history.length && history[first]?.role !== 'user') first += 1
  return [...(system ? [system] : []), ...history.slice(first), ...shortened.messages]
}

function shortenTools(turn: readonly ModelMessage[], budget: number): { messages: ModelMessage[]; cost: number } {
  const messages = [...turn]
  const costs = turn.map(costOf)
  let cost = costs.reduce((total, one) => total + one, 0)
  const newest = turn.findLastIndex(({ role }) => role === 'tool')
  for (const [index, message] of turn.entries()) {
    if (cost <= budget) break
    if (message.role !== 'tool') continue
    // The model is about to read the newest result, so that one keeps as much as fits.
    const fitting = budget - cost + (costs[index] ?? 0) - FRAME - countTokens(NOTE)
    const kept = index === newest ? Math.max(SHORTENED, fitting) : SHORTENED
    const cut = { ...message, content: `${cutTokens(message.content, kept)}${NOTE}` }
    messages[index] = cut
    cost += costOf(cut) - (costs[index] ?? 0)
  }
  return { messages, cost }
}
