import { Citation, type Done, type RunEntry, type WholeDone } from '@youworker/contracts/agent/run-log'
import { Id } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import { failureOf } from '../protocols/answer-run.ts'
import { eventFrame } from '../streams/sse.ts'

const Count = z.number().int().min(0)
const StopReason = z.enum(['end_turn', 'max_tokens', 'tool_use'])
const Usage = z.object({ input_tokens: Count, output_tokens: Count })
const TextBlock = z.object({ type: z.literal('text'), text: z.string() })
const ToolUse = z.object({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
})
/** The protocol's clients send it back, with a signature by which its own servers know it; here both mean nothing. */
const Thinking = z.object({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() })
const ContentBlock = z.discriminatedUnion('type', [Thinking, TextBlock, ToolUse])
type ContentBlock = z.output<typeof ContentBlock>
/** Ours, beside Anthropic's fields: where the marks like [1] in the text point to, and where the run and its session are. */
const ours = { citations: z.array(Citation), run_id: Id, session_id: Id }

const Message = z.object({
  id: z.string(),
  type: z.literal('message'),
  role: z.literal('assistant'),
  model: z.string(),
  content: z.array(ContentBlock),
  stop_reason: StopReason.nullable(),
  stop_sequence: z.null(),
  usage: Usage,
})
export const AnsweredMessage = Message.extend(ours).meta({ id: 'AnsweredMessage' })

const Delta = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.object({ type: z.literal('signature_delta'), signature: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
])
const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ event: z.literal(type), data: z.object({ type: z.literal(type), ...shape }) })

/** The events of a stream. */
export const MessageEvent = z.discriminatedUnion('event', [
  event('message_start', { message: Message }),
  event('content_block_start', { index: Count, content_block: ContentBlock }),
  event('content_block_delta', { index: Count, delta: Delta }),
  event('content_block_stop', { index: Count }),
  event('message_delta', {
    delta: z.object({ stop_reason: StopReason, stop_sequence: z.null() }),
    usage: Usage,
    ...ours,
  }),
  event('message_stop', {}),
  event('ping', {}),
  event('error', { error: z.object({ type: z.string(), message: z.string() }) }),
])
type MessageEvent = z.output<typeof MessageEvent>

const STOP = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const
const stopOf = ({ metadata }: Done) => STOP[metadata.finish_reason ?? 'stop']
const usageOf = ({ metadata }: Done) => ({ input_tokens: metadata.tokens_in, output_tokens: metadata.tokens_out })
const oursOf = ({ citations, metadata }: Done, run_id: string) => ({ citations, run_id, session_id: metadata.session_id })

const begun = (run_id: string, model: string) =>
  ({ id: `msg_${run_id}`, type: 'message', role: 'assistant', model, stop_sequence: null }) as const

/** Throws when the run failed. */
export function toMessage(
  done: WholeDone,
  { run_id, model }: { run_id: string; model: string },
): z.output<typeof AnsweredMessage> {
  if (done.metadata.status === 'error') throw failureOf(done)
  const thinking = done.thinking ?? ''
  const thought: ContentBlock[] = thinking === '' ? [] : [{ type: 'thinking', thinking, signature: run_id }]
  const text: ContentBlock[] = done.content === '' ? [] : [{ type: 'text', text: done.content }]
  const calls = (done.client_calls ?? []).map(({ id, name, arguments: input }) => ({
    type: 'tool_use' as const,
    id,
    name,
    input,
  }))
  const end = { stop_reason: stopOf(done), usage: usageOf(done) }
  return { ...begun(run_id, model), content: [...thought, ...text, ...calls], ...end, ...oursOf(done, run_id) }
}

/** Writes the entries of a run as the events of one message. */
export class MessageWriter {
  readonly #model: string
  #run_id = ''
  /** UTF-16 units of the text so far. */
  #length = 0
  /** The block that is being written, and how many are before it. */
  #open: 'text' | 'thinking' | undefined
  #index = 0
  /** What ends the last block, when the end is written. */
  #ending: string | undefined

  constructor(model: string) {
    this.#model = model
  }

  /** The frames of an entry, which may be none. */
  framesOf({ body }: RunEntry): string {
    switch (body.event) {
      case 'run':
        return this.#start(body.data.run_id)
      case 'token':
        return this.#text(body.data.text)
      case 'thinking':
        return this.#goOn('thinking') + deltaOf(this.#index, { type: 'thinking_delta', thinking: body.data.text })
      // The stored text is all that was sent, so nothing is taken back; else the client has a text that no answer has.
      case 'rewind':
        return body.data.offset === this.#length ? '' : failed(new AppError('INTERNAL_ERROR', 'The answer broke off; ask again'))
      case 'done':
        return this.#end(body.data)
      case 'status':
        return frame({ event: 'ping', data: { type: 'ping' } })
      case 'log':
      case 'tool':
      case 'transcript':
        return ''
    }
  }

  #start(run_id: string): string {
    this.#run_id = run_id
    const usage = { input_tokens: 0, output_tokens: 0 }
    const message = { ...begun(run_id, this.#model), content: [], stop_reason: null, usage }
    return frame({ event: 'message_start', data: { type: 'message_start', message } })
  }

  #text(text: string): string {
    this.#length += text.length
    return this.#goOn('text') + deltaOf(this.#index, { type: 'text_delta', text })
  }

  /** Ends the block before, if it is another one, and begins one of this type. */
  #goOn(type: 'text' | 'thinking'): string {
    if (this.#open === type) return ''
    const ending = this.#close()
    this.#open = type
    const block = type === 'text' ? { type, text: '' } : { type, thinking: '', signature: '' }
    return ending + startBlock(this.#index, block)
  }

  #close(): string {
    if (this.#open === undefined) return ''
    const index = this.#index
    const signed = this.#open === 'thinking' ? deltaOf(index, { type: 'signature_delta', signature: this.#run_id }) : ''
    this.#open = undefined
    this.#index += 1
    return signed + stopBlock(index)
  }

  #end(done: Done): string {
    if (done.metadata.status === 'error') return failed(failureOf(done))
    const ending = (this.#ending ??= this.#close())
    const calls = (done.client_calls ?? []).map(({ id, name, arguments: input }, n) => {
      const index = this.#index + n
      const block = startBlock(index, { type: 'tool_use', id, name, input: {} })
      return block + deltaOf(index, { type: 'input_json_delta', partial_json: JSON.stringify(input) }) + stopBlock(index)
    })
    const delta = { stop_reason: stopOf(done), stop_sequence: null }
    const end = { type: 'message_delta' as const, delta, usage: usageOf(done), ...oursOf(done, this.#run_id) }
    return [
      ending,
      ...calls,
      frame({ event: 'message_delta', data: end }),
      frame({ event: 'message_stop', data: { type: 'message_stop' } }),
    ].join('')
  }
}

const frame = ({ event: name, data }: MessageEvent): string => eventFrame(name, data)

const startBlock = (index: number, content_block: ContentBlock): string =>
  frame({ event: 'content_block_start', data: { type: 'content_block_start', index, content_block } })

const deltaOf = (index: number, delta: z.output<typeof Delta>): string =>
  frame({ event: 'content_block_delta', data: { type: 'content_block_delta', index, delta } })

const stopBlock = (index: number): string => frame({ event: 'content_block_stop', data: { type: 'content_block_stop', index } })

const failed = ({ message }: AppError): string =>
  frame({ event: 'error', data: { type: 'error', error: { type: 'api_error', message } } })
