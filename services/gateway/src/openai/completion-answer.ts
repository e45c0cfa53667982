import { Citation, type Done, type RunEntry, type WholeDone } from '@youworker/contracts/agent/run-log'
import { Id } from '@youworker/contracts/common'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { timeOfId } from '@youworker/runtime/id'
import { z } from 'zod'
import { failureOf } from '../protocols/answer-run.ts'
import { toLine } from '../streams/sse.ts'

const Count = z.number().int().min(0)
const Usage = z.object({ prompt_tokens: Count, completion_tokens: Count, total_tokens: Count })
const FinishReason = z.enum(['stop', 'length', 'tool_calls'])
const ToolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string().meta({ description: 'JSON.' }) }),
})
const common = { id: z.string(), created: z.number().int(), model: z.string() }
/** Ours, beside OpenAI's fields: where the marks like [1] in the text point to, and where the run and its session are. */
const ours = { citations: z.array(Citation), run_id: Id, session_id: Id }

export const Completion = z
  .object({
    ...common,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: Count,
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(ToolCall).optional(),
        }),
        logprobs: z.null(),
        finish_reason: FinishReason,
      }),
    ),
    usage: Usage,
    ...ours,
  })
  .meta({ id: 'Completion' })
type Completion = z.output<typeof Completion>

/** One event of the stream, whose last one is `[DONE]`. */
export const CompletionChunk = z
  .object({
    ...common,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index: Count,
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(ToolCall.extend({ index: Count })).optional(),
        }),
        logprobs: z.null(),
        finish_reason: FinishReason.nullable(),
      }),
    ),
    usage: Usage.nullish(),
    citations: ours.citations.optional(),
    run_id: ours.run_id.optional(),
    session_id: ours.session_id.optional(),
  })
  .meta({ id: 'CompletionChunk' })
type CompletionChunk = z.output<typeof CompletionChunk>

interface Of {
  readonly run_id: string
  /** As it was asked for. */
  readonly model: string
}

/** The same for every reader of a run. */
const commonOf = ({ run_id, model }: Of) => {
  return { id: `chatcmpl-${run_id}`, created: Math.floor(timeOfId(run_id) / 1_000), model }
}

const usageOf = ({ metadata: { tokens_in, tokens_out } }: Done) => ({
  prompt_tokens: tokens_in,
  completion_tokens: tokens_out,
  total_tokens: tokens_in + tokens_out,
})

const callsOf = ({ client_calls }: Done) =>
  client_calls?.map(({ id, name, arguments: args }) => {
    return { id, type: 'function' as const, function: { name, arguments: JSON.stringify(args) } }
  })

const finishOf = ({ metadata }: Done) => metadata.finish_reason ?? 'stop'

/** Throws when the run failed. */
export function toCompletion(done: WholeDone, of: Of): Completion {
  const { content, citations, metadata } = done
  if (metadata.status === 'error') throw failureOf(done)
  const calls = callsOf(done)
  // As OpenAI's own: no text beside a call is null.
  const text = calls && content === '' ? null : content
  const thought = done.thinking === undefined ? {} : { reasoning_content: done.thinking }
  const said = { content: text, refusal: null, ...thought, ...(calls ? { tool_calls: calls } : {}) }
  const message = { role: 'assistant' as const, ...said }
  return {
    ...commonOf(of),
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishOf(done) }],
    usage: usageOf(done),
    citations,
    run_id: of.run_id,
    session_id: metadata.session_id,
  }
}

interface ChunkOptions {
  readonly model: string
  readonly correlationId: string
  readonly includeUsage: boolean
}

/** Writes the entries of a run as the chunks of one completion. */
export class ChunkWriter {
  readonly #options: ChunkOptions
  #run_id = ''
  /** UTF-16 units of the text so far. */
  #length = 0

  constructor(options: ChunkOptions) {
    this.#options = options
  }

  /** The frames of an entry, which may be none. */
  framesOf({ body }: RunEntry): string {
    switch (body.event) {
      case 'run':
        this.#run_id = body.data.run_id
        return this.#frame({ delta: { role: 'assistant', content: '' } })
      case 'token':
        this.#length += body.data.text.length
        return this.#frame({ delta: { content: body.data.text } })
      case 'thinking':
        return this.#frame({ delta: { reasoning_content: body.data.text } })
      // The stored text is all that was sent, so nothing is taken back; else the client has a text that no answer has.
      case 'rewind':
        return body.data.offset === this.#length
          ? ''
          : this.#error(new AppError('INTERNAL_ERROR', 'The answer broke off; ask again'))
      case 'done':
        return this.#end(body.data)
      case 'log':
      case 'status':
      case 'tool':
      case 'transcript':
        return ''
    }
  }

  #end(done: Done): string {
    if (done.metadata.status === 'error') return this.#error(failureOf(done))
    const { citations, metadata } = done
    const more = { citations, run_id: this.#run_id, session_id: metadata.session_id }
    const calls = callsOf(done)?.map((call, index) => ({ index, ...call }))
    const acting = calls ? this.#frame({ delta: { tool_calls: calls } }) : ''
    const last = this.#frame({ delta: {}, finish_reason: finishOf(done) }, more)
    const usage = this.#options.includeUsage ? this.#frame(undefined, { usage: usageOf(done) }) : ''
    return `${acting}${last}${usage}data: [DONE]\n\n`
  }

  #frame(
    choice:
      | { readonly delta: CompletionChunk['choices'][number]['delta']; readonly finish_reason?: z.output<typeof FinishReason> }
      | undefined,
    more: Partial<CompletionChunk> = {},
  ): string {
    const { model, includeUsage } = this.#options
    const chunk: CompletionChunk = {
      ...commonOf({ run_id: this.#run_id, model }),
      object: 'chat.completion.chunk',
      choices: choice ? [{ index: 0, logprobs: null, finish_reason: null, ...choice }] : [],
      ...(includeUsage ? { usage: null } : {}),
      ...more,
    }
    return `data: ${toLine(chunk)}\n\n`
  }

  #error(error: AppError): string {
    return `data: ${toLine(errorBody(error, this.#options.correlationId))}\n\n`
  }
}
