import { LEFT_OUT, type LeftOut } from '@youworker/contracts/documents/search'
import type { CitationBook, SearchHit } from '../citations/citation-book.ts'
import type { ModelMessage } from '../models/model-port.ts'

/** A tool's output in the form that is stored. */
export interface ToolOutput {
  readonly text: string
  readonly hits?: readonly SearchHit[] | undefined
  /** The spaces in which was looked, of a search that looked wherever the user may. */
  readonly searched?: readonly string[] | undefined
  readonly incomplete?: readonly LeftOut[] | undefined
}

/** A tool call that the model asked for. */
export interface ToolCall {
  /** Of its `tool_runs` row. */
  readonly id: string
  readonly iteration: number
  readonly name: string
  readonly args: Record<string, unknown>
  readonly status: 'running' | 'success' | 'error' | 'unknown'
  /** The call was made, or may have been. */
  readonly called: boolean
  readonly idempotent: boolean
  /** It failed because its server, or a service behind it, was away. */
  readonly is_away: boolean
  readonly latency_ms: number | null
  readonly result: ToolOutput | null
  readonly error: string | null
}

export interface EndedToolCall extends ToolCall {
  readonly status: Exclude<ToolCall['status'], 'running'>
}

export const isEnded = (call: ToolCall): call is EndedToolCall => call.status !== 'running'

/** The result of a tool call for the model to read. Hits of a search become numbered passages. */
export function toolMessage(
  { name, result, error }: Pick<ToolCall, 'name' | 'result' | 'error'>,
  book: CitationBook,
): ModelMessage {
  const passages = result?.hits && result.hits.length > 0 ? book.add(result.hits) : undefined
  const all = passages && [passages, ...(result?.incomplete ?? []).map((what) => LEFT_OUT[what])].join('\n\n')
  return { role: 'tool', tool_name: name, content: all ?? result?.text ?? `Error: ${error ?? 'no result'}` }
}
