import { z } from 'zod'
import { eventFrame } from '../../streams/sse.ts'
import { FileCitation, OutputItem, OutputText, ResponseObject, SummaryText } from './response-object.ts'

const Count = z.number().int().min(0)

const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ event: z.literal(type), data: z.object({ type: z.literal(type), sequence_number: Count, ...shape }) })

const response = { response: ResponseObject }
const inOutput = { output_index: Count }
const inItem = { item_id: z.string(), ...inOutput }
const inText = { ...inItem, content_index: Count }
const inSummary = { ...inItem, summary_index: Count }
const logprobs = { logprobs: z.array(z.never()) }

/** The events of a stream, numbered from 0 without gaps: an event has the same number whenever the response is read. */
export const ResponseEvent = z.discriminatedUnion('event', [
  event('response.created', response),
  event('response.queued', response),
  event('response.in_progress', response),
  event('response.output_item.added', { ...inOutput, item: OutputItem }),
  event('response.reasoning_summary_part.added', { ...inSummary, part: SummaryText }),
  event('response.reasoning_summary_text.delta', { ...inSummary, delta: z.string() }),
  event('response.reasoning_summary_text.done', { ...inSummary, text: z.string() }),
  event('response.reasoning_summary_part.done', { ...inSummary, part: SummaryText }),
  event('response.file_search_call.in_progress', inItem),
  event('response.file_search_call.searching', inItem),
  event('response.file_search_call.completed', inItem),
  event('response.content_part.added', { ...inText, part: OutputText }),
  event('response.output_text.delta', { ...inText, delta: z.string(), ...logprobs }),
  event('response.output_text.annotation.added', { ...inText, annotation_index: Count, annotation: FileCitation }),
  event('response.output_text.done', { ...inText, text: z.string(), ...logprobs }),
  event('response.content_part.done', { ...inText, part: OutputText }),
  event('response.function_call_arguments.delta', { ...inItem, delta: z.string() }),
  event('response.function_call_arguments.done', { ...inItem, name: z.string(), arguments: z.string() }),
  event('response.output_item.done', { ...inOutput, item: OutputItem }),
  event('response.completed', response),
  event('response.incomplete', response),
  event('response.failed', response),
])
type ResponseEvent = z.output<typeof ResponseEvent>

/** The data of an event without its name and number. */
export type DataOf<T extends ResponseEvent['event']> = Omit<
  Extract<ResponseEvent, { event: T }>['data'],
  'type' | 'sequence_number'
>

export const responseFrame = <T extends ResponseEvent['event']>(type: T, sequence_number: number, data: DataOf<T>): string =>
  eventFrame(type, { type, sequence_number, ...data })
