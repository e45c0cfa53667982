import { Citation, type Done } from '@youworker/contracts/agent/run-log'
import type { SearchMade } from '@youworker/contracts/agent/file-search'
import type { Thought } from '@youworker/contracts/agent/thoughts'
import { Id } from '@youworker/contracts/common'
import { z } from 'zod'
import { fileIdOf } from '../files/file-ids.ts'
import { endedSearch, FileSearchCall } from './file-search-items.ts'
import { conversationId, createdAt, responseId } from './ids.ts'
import { Echo, echoOf } from './response-echo.ts'
import type { ResponseRequest } from './response-request.ts'

const Count = z.number().int().min(0)
const ItemStatus = z.enum(['in_progress', 'completed', 'incomplete'])
export type ItemStatus = z.output<typeof ItemStatus>

/** Where a mark like [1] stands in the text, in UTF-16 units, and what it points to. */
export const FileCitation = z.object({
  type: z.literal('file_citation'),
  file_id: z.string(),
  filename: z.string(),
  index: Count,
})
export const OutputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(FileCitation),
  logprobs: z.array(z.never()),
})
const OutputMessage = z.object({
  type: z.literal('message'),
  id: z.string(),
  role: z.literal('assistant'),
  status: ItemStatus,
  content: z.array(OutputText),
})
const FunctionCall = z.object({
  type: z.literal('function_call'),
  id: z.string(),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string().meta({ description: 'JSON.' }),
  status: ItemStatus,
})
export const SummaryText = z.object({ type: z.literal('summary_text'), text: z.string() })
const Reasoning = z.object({ type: z.literal('reasoning'), id: z.string(), status: ItemStatus, summary: z.array(SummaryText) })
export const OutputItem = z.discriminatedUnion('type', [OutputMessage, FunctionCall, Reasoning, FileSearchCall])
export type OutputItem = z.output<typeof OutputItem>

const Usage = z.object({
  input_tokens: Count,
  input_tokens_details: z.object({ cached_tokens: Count, cache_write_tokens: Count }),
  output_tokens: Count,
  output_tokens_details: z.object({ reasoning_tokens: Count }),
  total_tokens: Count,
})

export const ResponseObject = Echo.extend({
  id: z.string(),
  object: z.literal('response'),
  created_at: z.number().int(),
  completed_at: z.number().int().nullable(),
  status: z.enum(['completed', 'failed', 'in_progress', 'cancelled', 'queued', 'incomplete']),
  error: z.object({ code: z.literal('server_error'), message: z.string() }).nullable(),
  incomplete_details: z.object({ reason: z.enum(['max_output_tokens', 'max_messages']) }).nullable(),
  conversation: z.object({ id: z.string() }).nullable(),
  output: z.array(OutputItem),
  usage: Usage.nullable(),
  access_programs: z.null(),
  max_tool_calls: z.null(),
  service_tier: z.literal('default'),
  top_logprobs: z.literal(0),
  truncation: z.literal('auto'),
  // Ours, beside OpenAI's fields: where the marks like [1] in the text point to, and where the run and its session are.
  citations: z.array(Citation),
  run_id: Id,
  session_id: Id,
}).meta({ id: 'Response' })
export type ResponseObject = z.output<typeof ResponseObject>

/** Of what a response is made, beside what came of its run. */
export interface ResponseOf {
  readonly run_id: string
  readonly session_id: string
  readonly request: ResponseRequest
}

/** Of a run that has not ended. */
export function begunResponse({ run_id, session_id, request }: ResponseOf, status: 'queued' | 'in_progress'): ResponseObject {
  return {
    id: responseId(run_id),
    object: 'response',
    created_at: createdAt(run_id),
    completed_at: null,
    status,
    error: null,
    incomplete_details: null,
    ...echoOf(request),
    conversation: request.conversation ? { id: conversationId(session_id) } : null,
    output: [],
    usage: null,
    access_programs: null,
    max_tool_calls: null,
    service_tier: 'default',
    top_logprobs: 0,
    truncation: 'auto',
    citations: [],
    run_id,
    session_id,
  }
}

/** The end of a run, with what its model thought, as far as the run shows it. */
type Ended = Done & Answer

/** Of a run that has ended, however. It follows from the run's log and the request alone. */
export function endedResponse(done: Ended, of: ResponseOf): ResponseObject {
  const { metadata, citations } = done
  const { tokens_in, tokens_out, duration_ms, error = 'The run failed.' } = metadata
  const end = endOf(done)
  return {
    ...begunResponse(of, 'in_progress'),
    ...end,
    completed_at: end.status === 'completed' ? Math.floor(createdAt(of.run_id) + duration_ms / 1_000) : null,
    error: end.status === 'failed' ? { code: 'server_error', message: error } : null,
    output: outputOf(done, of.run_id),
    usage: {
      input_tokens: tokens_in,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: tokens_out,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: tokens_in + tokens_out,
    },
    citations,
  }
}

function endOf({
  metadata: { status, finish_reason },
}: Pick<Done, 'metadata'>): Pick<ResponseObject, 'status' | 'incomplete_details'> {
  const incomplete = (reason: 'max_output_tokens' | 'max_messages') =>
    ({ status: 'incomplete', incomplete_details: { reason } }) as const
  switch (status) {
    case 'success':
    case 'partial':
      return finish_reason === 'length' ? incomplete('max_output_tokens') : { status: 'completed', incomplete_details: null }
    case 'max_iterations':
      return incomplete('max_messages')
    case 'stopped':
      return { status: 'cancelled', incomplete_details: null }
    case 'error':
      return { status: 'failed', incomplete_details: null }
  }
}

type Answer = Pick<Done, 'content' | 'citations' | 'client_calls' | 'metadata'> & {
  readonly thoughts?: readonly Thought[] | undefined
  readonly searches?: readonly SearchMade[] | undefined
}

/** In the order in which they begin. The message goes on behind thoughts that come within its text. */
export function outputOf(done: Answer, runId: string): OutputItem[] {
  const { content, client_calls: calls = [], thoughts = [], searches = [] } = done
  const status = endOf(done).status === 'completed' ? 'completed' : 'incomplete'
  const text = content === '' ? [] : [messageOf(runId, status, [textPart(content, annotationsOf(done))])]
  const searched = (behind: number) =>
    searches.flatMap((one, n) => (one.behind === behind ? [{ at: one.at, item: endedSearch(runId, n, one) }] : []))
  const items = [...thoughts, undefined].flatMap((one, n) => [
    ...searched(n),
    ...(one ? [{ at: one.at, item: reasoningOf(runId, n, one.ended ? 'completed' : status, [summaryText(one.text)]) }] : []),
  ])
  const later = items.findIndex(({ at }) => at > 0)
  const [first, behind] = later === -1 ? [items, []] : [items.slice(0, later), items.slice(later)]
  const said: OutputItem[] = [...first.map(({ item }) => item), ...text, ...behind.map(({ item }) => item)]
  const acting = calls.map(({ id, name, arguments: args }, index) => {
    return functionCall(runId, said.length + index, { call_id: id, name, arguments: JSON.stringify(args), status: 'completed' })
  })
  return [...said, ...acting]
}

/** What models think is shown as it is, in the form that all clients of the protocol read. `n`: among those of the run. */
export const reasoningOf = (runId: string, n: number, status: ItemStatus, summary: z.output<typeof SummaryText>[]) =>
  ({ type: 'reasoning', id: `rs_${runId}_${n}`, status, summary }) as const

export const summaryText = (text: string) => ({ type: 'summary_text', text }) as const

export const messageOf = (runId: string, status: ItemStatus, content: z.output<typeof OutputText>[]) =>
  ({ type: 'message', id: `msg_${runId}_0`, role: 'assistant', status, content }) as const

export const textPart = (text: string, annotations: z.output<typeof FileCitation>[] = []) =>
  ({ type: 'output_text', text, annotations, logprobs: [] }) as z.output<typeof OutputText>

/** `index`: among the items of the output. */
export const functionCall = (
  runId: string,
  index: number,
  call: Pick<z.output<typeof FunctionCall>, 'call_id' | 'name' | 'arguments' | 'status'>,
) => ({ type: 'function_call', id: `fc_${runId}_${index}`, ...call }) as const

/** One for each mark in the text. */
function annotationsOf({ content, citations }: Answer): z.output<typeof FileCitation>[] {
  if (citations.length === 0) return []
  const cited = new Map(citations.map((citation) => [citation.index, citation]))
  return [...content.matchAll(/\[(\d{1,6})\]/g)].flatMap(({ 1: mark, index }) => {
    const citation = cited.get(Number(mark))
    return citation
      ? [{ type: 'file_citation', file_id: fileIdOf(citation.document_id), filename: fileNameOf(citation), index }]
      : []
  })
}

/** Of an upload its own name, of anything else its title. */
function fileNameOf({ uri, title }: Citation): string {
  if (!uri.startsWith('upload://')) return title
  const name = uri.slice(uri.lastIndexOf('/') + 1)
  return URL.canParse(uri) && name !== '' ? decodeURIComponent(name) : title
}
