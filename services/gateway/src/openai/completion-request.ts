import { SessionRef, Strategy } from '@youworker/contracts/agent/chat-input'
import { ClientTool, type ConversationMessage, type Image, type ModelParameters } from '@youworker/contracts/agent/model'
import { Line } from '@youworker/contracts/common'
import { z } from 'zod'
import { readImage } from '../protocols/images.ts'
import { Cache, refusal, requireQuestion, runInput } from '../protocols/run-input.ts'
import { ReasoningEffort, thinkOf } from './reasoning-effort.ts'

const TextPart = z.object({ type: z.enum(['text', 'refusal']), text: z.string() })
const ImagePart = z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) })
/** Parts of other types are refused with what they are. */
const OtherPart = z.object({ type: z.string().refine((type) => type !== 'image_url', 'lacks image_url.url') })
const Content = z.union([z.string(), z.array(z.union([TextPart, ImagePart, OtherPart])).max(200)])
const CallId = z.string().max(200)
const ToolName = z.string().max(64)

const CompletionMessage = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: Content.nullish(),
  tool_calls: z
    .array(z.object({ id: CallId, function: z.object({ name: ToolName, arguments: z.string() }) }))
    .max(64)
    .nullish(),
  tool_call_id: CallId.nullish(),
})
type CompletionMessage = z.output<typeof CompletionMessage>

const ResponseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({ name: z.string().max(64), schema: z.record(z.string(), z.unknown()).default({}) }),
  }),
])

/** What is between ours is the next one. */
const Tool = z.object({ type: z.literal('function'), function: ClientTool })
const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: ToolName }) }),
])
type ToolChoice = z.output<typeof ToolChoice>

/** As of OpenAI's chat completions. Fields that change nothing here are ignored. */
export const CompletionBody = z
  .object({
    model: Line(128),
    messages: z.array(CompletionMessage).min(1).max(1_000),
    stream: z.boolean().nullish(),
    stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    seed: z.number().int().nullish(),
    max_tokens: z.number().int().min(1).max(1_000_000).nullish(),
    max_completion_tokens: z.number().int().min(1).max(1_000_000).nullish(),
    stop: z.union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).max(4)]).nullish(),
    response_format: ResponseFormat.nullish(),
    reasoning_effort: ReasoningEffort.nullish(),
    include_reasoning: z.boolean().nullish().meta({
      description: "As vLLM's and OpenRouter's: what the model thinks comes as `reasoning_content`, where it tells.",
    }),
    n: z.number().int().nullish(),
    tools: z.array(Tool).max(128).nullish(),
    tool_choice: ToolChoice.nullish(),
    cache: Cache,
    strategy: Strategy.nullish(),
    session_id: SessionRef.nullish().meta({
      description: 'Ours: goes on with this session, which has the messages before the last one already.',
    }),
  })
  .meta({ id: 'CompletionBody' })
export type CompletionBody = z.output<typeof CompletionBody>

/** What starts the run that answers it. Throws `VALIDATION_ERROR` for what is not served. */
export function toRunInput(body: CompletionBody) {
  if ((body.n ?? 1) !== 1) throw refusal('n', 'n must be 1: ask again for another answer')
  const choice = body.tool_choice ?? 'auto'
  const { session_id } = body
  const asked = readMessages(body.messages)
  requireQuestion(asked.conversation, 'messages')
  const { conversation, ...input } = runInput({
    ...asked,
    model: body.model,
    parameters: parametersOf(body),
    tools: toolsOf(body.tools ?? [], choice),
    mayUseTools: choice !== 'none',
    cache: body.cache,
    strategy: body.strategy,
    showThinking: body.include_reasoning ?? false,
  })
  if (!session_id) return { ...input, conversation }
  const last = asked.conversation.at(-1)
  if (last?.role === 'user') return { ...input, session_id, images: last.images }
  throw refusal('session_id', 'Results of tools need the whole conversation: leave out session_id')
}

/** A model server knows no `required`: the model decides. */
function toolsOf(tools: readonly z.output<typeof Tool>[], choice: ToolChoice): ClientTool[] {
  if (choice === 'none') return []
  const offered = tools.map((tool) => tool.function)
  return typeof choice === 'string' ? offered : offered.filter(({ name }) => name === choice.function.name)
}

function readMessages(messages: readonly CompletionMessage[]): { instructions: string; conversation: ConversationMessage[] } {
  const instructions: string[] = []
  const conversation: ConversationMessage[] = []
  /** Of the calls so far, by id. */
  const names = new Map<string, string>()
  for (const [index, { role, content, tool_calls, tool_call_id }] of messages.entries()) {
    const text = textOf(content, index)
    const images = imagesOf(content, index)
    if (images.length > 0 && role !== 'user')
      throw refusal(`messages.${index}.content`, 'Only messages of the user may have images')
    if (role === 'system' || role === 'developer') instructions.push(text)
    else if (role === 'user') conversation.push({ role, content: text, ...(images.length > 0 ? { images } : {}) })
    else if (role === 'assistant') {
      const calls = (tool_calls ?? []).map(({ id, function: { name, arguments: json } }) => {
        names.set(id, name)
        return { ...(id === '' ? {} : { id }), name, arguments: argumentsOf(json, index) }
      })
      conversation.push({ role, content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) })
    } else {
      const tool_name = names.get(tool_call_id ?? '')
      if (tool_name === undefined) throw refusal(`messages.${index}.tool_call_id`, 'No message before it has a call with this id')
      conversation.push({ role, content: text, tool_name, ...(tool_call_id ? { call_id: tool_call_id } : {}) })
    }
  }
  return { instructions: instructions.join('\n\n'), conversation }
}

function argumentsOf(json: string, index: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Said below.
  }
  throw refusal(`messages.${index}.tool_calls`, 'The arguments of a call are an object in JSON')
}

function textOf(content: CompletionMessage['content'], index: number): string {
  if (typeof content === 'string') return content
  const texts = (content ?? []).map((part) => {
    if ('text' in part) return part.text
    if ('image_url' in part) return ''
    throw refusal(`messages.${index}.content`, `This version takes text and images, and no part of the type ${part.type}`)
  })
  return texts.join('')
}

function imagesOf(content: CompletionMessage['content'], index: number): Image[] {
  if (typeof content === 'string' || content == null) return []
  const field = `messages.${index}.content`
  return content.flatMap((part) => ('image_url' in part ? [readImage(part.image_url.url, field)] : []))
}

function parametersOf(body: CompletionBody): ModelParameters {
  const { temperature, top_p, seed, stop, response_format: format, reasoning_effort: effort } = body
  const max_tokens = body.max_completion_tokens ?? body.max_tokens
  return {
    ...(temperature == null ? {} : { temperature }),
    ...(top_p == null ? {} : { top_p }),
    // Model servers take 32 bits; any other number is as good a seed.
    ...(seed == null ? {} : { seed: seed | 0 }),
    ...(max_tokens == null ? {} : { max_tokens }),
    ...(stop == null ? {} : { stop: [stop].flat() }),
    ...thinkOf(effort),
    ...(format?.type === 'json_object' ? { format: 'json' as const } : {}),
    ...(format?.type === 'json_schema' ? { format: format.json_schema.schema } : {}),
  }
}
