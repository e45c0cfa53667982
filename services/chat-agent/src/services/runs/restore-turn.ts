import type { ModelStepRow } from '@youworker/database/owners/chat-agent/tables'
import type { CitationBook } from '../citations/citation-book.ts'
import type { ModelMessage } from '../models/model-port.ts'
import { type ToolCall, toolMessage } from '../tools/tool-call.ts'

interface StoredWork {
  /** The question, and what the client did after it. */
  readonly begun: readonly ModelMessage[]
  /** All text of the run so far. */
  readonly text: string
  /** Calls of the model that ended, by `iteration`. Tools called before the first one have 0. */
  readonly steps: readonly Pick<ModelStepRow, 'iteration' | 'text_end'>[]
  readonly calls: readonly ToolCall[]
}

/**
 * The conversation from the question on, as the model had it. `answered` is the offset where the text of whole answers
 * ends; any text behind it is an unfinished answer. `pendingCalls`: the first call without a result and those behind it. Hits keep
 * their numbers.
 */
export function restoreTurn({ begun, text, steps, calls }: StoredWork, book: CitationBook) {
  const messages: ModelMessage[] = [...begun]
  const pendingCalls: ToolCall[] = []
  let answered = 0
  const opening = calls.some(({ iteration }) => iteration === 0) ? [{ iteration: 0, text_end: 0 }] : []
  for (const { iteration, text_end } of [...opening, ...steps]) {
    const own = calls.filter((call) => call.iteration === iteration)
    const tool_calls = own.map((call) => ({ name: call.name, arguments: call.args }))
    messages.push({ role: 'assistant', content: text.slice(answered, text_end), tool_calls })
    answered = text_end
    for (const call of own) {
      if (call.status === 'running' || pendingCalls.length > 0) pendingCalls.push(call)
      else messages.push(toolMessage(call, book))
    }
  }
  return { messages, answered, pendingCalls }
}
