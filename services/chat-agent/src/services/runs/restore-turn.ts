import type { CitationBook, SearchHit } from '../agent/citation-book.ts'
import type { ModelMessage } from '../models/model-port.ts'

/** What a tool answered, as it is kept. */
export interface StoredResult {
  readonly text: string
  readonly hits?: readonly SearchHit[] | undefined
}

export interface StoredCall {
  readonly id: string
  readonly iteration: number
  readonly name: string
  readonly args: Record<string, unknown>
  readonly status: 'running' | 'success' | 'error' | 'unknown'
  /** The call was made, or may have been. */
  readonly called: boolean
  readonly idempotent: boolean
  readonly latency_ms: number | null
  readonly result: StoredResult | null
  readonly error: string | null
}

interface StoredTurn {
  readonly question: string
  /** All text of the run so far. */
  readonly text: string
  /** Calls of the model that ended, by `iteration`. */
  readonly steps: readonly { readonly iteration: number; readonly text_end: number }[]
  readonly calls: readonly StoredCall[]
}

/**
 * The messages from the question on, as the model was given and gave them. `partial` is the text of an answer that was
 * begun and not ended; `open` are tool calls without a result. Hits get the numbers that they had.
 */
export function restoreTurn({ question, text, steps, calls }: StoredTurn, book: CitationBook) {
  const messages: ModelMessage[] = [{ role: 'user', content: question }]
  const open: StoredCall[] = []
  let start = 0
  for (const { iteration, text_end } of steps) {
    const own = calls.filter((call) => call.iteration === iteration)
    const tool_calls = own.map((call) => ({ name: call.name, arguments: call.args }))
    messages.push({ role: 'assistant', content: text.slice(start, text_end), tool_calls })
    start = text_end
    for (const call of own) {
      if (call.status === 'running') open.push(call)
      else messages.push(toolMessage(call, book))
    }
  }
  return { messages, partial: text.slice(start), open }
}

/** What the model reads of a tool call that ended. */
export function toolMessage(
  { name, result, error }: Pick<StoredCall, 'name' | 'result' | 'error'>,
  book: CitationBook,
): ModelMessage {
  const passages = result?.hits && result.hits.length > 0 ? book.add(result.hits) : undefined
  return { role: 'tool', tool_name: name, content: passages ?? result?.text ?? `Error: ${error ?? 'no result'}` }
}
