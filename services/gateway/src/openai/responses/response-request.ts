import { Strategy } from '@youworker/contracts/agent/chat-input'
import { ClientTool, type ModelParameters } from '@youworker/contracts/agent/model'
import { Line, Metadata } from '@youworker/contracts/common'
import { z } from 'zod'
import { AGENT_MODEL } from '../../protocols/agent-model.ts'
import { Cache, refusal, requireQuestion, runInput } from '../../protocols/run-input.ts'
import { fileSearchIn, FileSearchTool } from './file-search-tool.ts'
import { runIdOf, sessionRefOf } from './ids.ts'
import { InputItem, readItems } from './input-items.ts'
import { ReasoningEffort, thinkOf } from '../reasoning-effort.ts'

const Name = z.string().max(64)

export const FunctionTool = z.object({
  type: z.literal('function'),
  name: ClientTool.shape.name,
  description: z
    .string()
    .max(16 * 1024)
    .nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
})
/** Tools and choices of other types are refused with what they are. */
const served = /^(function|file_search)$/
const Other = z.object({ type: z.string().refine((type) => !served.test(type), 'lacks what tools of this type have') })

export const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), name: Name }),
  z.object({ type: z.literal('file_search') }),
  z.object({
    type: z.literal('allowed_tools'),
    mode: z.enum(['auto', 'required']),
    tools: z.array(z.object({ type: z.string(), name: Name.optional() })).max(128),
  }),
  Other,
])

export const TextFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    name: Name,
    schema: z.record(z.string(), z.unknown()),
    description: z
      .string()
      .max(16 * 1024)
      .nullish(),
    strict: z.boolean().nullish(),
  }),
])

/** What is kept of a request. */
export const ResponseRequest = z.object({
  model: Line(128).nullish(),
  instructions: z.string().nullish(),
  background: z.boolean().nullish(),
  conversation: z.union([z.string().max(200), z.object({ id: z.string().max(200) })]).nullish(),
  max_output_tokens: z.number().int().min(1).max(1_000_000).nullish(),
  metadata: Metadata.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  previous_response_id: z.string().max(200).nullish(),
  prompt_cache_key: z.string().max(200).nullish(),
  reasoning: z
    .object({
      effort: ReasoningEffort.nullish(),
      summary: z.string().max(32).nullish().meta({
        description:
          'What the model thinks comes as items of the type `reasoning`, where it tells, when this or `effort` is given, other than `none`.',
      }),
    })
    .nullish(),
  safety_identifier: z.string().max(200).nullish(),
  store: z.boolean().nullish().meta({
    description: '`false`: the response cannot be read or gone on from. Its session has it all the same, as it has every chat.',
  }),
  temperature: z.number().min(0).max(2).nullish(),
  text: z.object({ format: TextFormat.nullish(), verbosity: z.enum(['low', 'medium', 'high']).nullish() }).nullish(),
  tool_choice: ToolChoice.nullish(),
  tools: z
    .array(z.union([FunctionTool, FileSearchTool, Other]))
    .max(128)
    .nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  user: z.string().max(200).nullish(),
  include: z.array(z.string().max(64)).max(20).nullish(),
})
export type ResponseRequest = z.output<typeof ResponseRequest>

/** As of OpenAI's responses. Fields that change nothing here are ignored. */
export const ResponseBody = ResponseRequest.extend({
  input: z.union([z.string(), z.array(InputItem).min(1).max(1_000)]).nullish(),
  stream: z.boolean().nullish(),
  strategy: Strategy.nullish(),
  max_tool_calls: z.number().int().nullish(),
  prompt: z.unknown().optional(),
  top_logprobs: z.number().int().nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  cache: Cache,
}).meta({ id: 'ResponseBody' })
export type ResponseBody = z.output<typeof ResponseBody>

/** What starts the run that answers it. Throws `VALIDATION_ERROR` for what is not served. */
export function toRunInput(body: ResponseBody) {
  refuseUnserved(body)
  const choice = body.tool_choice ?? 'auto'
  const before = goingOn(body)
  const conversation = readItems(body.input ?? [])
  requireQuestion(conversation, 'input', { isWhole: before === undefined })
  const { tools, include } = body
  const fileSearch = fileSearchIn({ tools: tools ?? [], choice, include: include ?? [] })
  const mustSearch = fileSearch && typeof choice === 'object' && choice.type === 'file_search'
  const input = runInput({
    fileSearch,
    model: body.model ?? AGENT_MODEL,
    instructions: body.instructions ?? '',
    conversation,
    parameters: parametersOf(body),
    tools: toolsOf(tools ?? [], choice),
    mayUseTools: choice !== 'none',
    cache: body.cache,
    strategy: body.strategy ?? (mustSearch ? 'rag' : undefined),
    showThinking: showsThinking(body.reasoning),
  })
  // Only what is kept can be read and gone on from.
  return { ...input, ...before, request: body.store === false ? undefined : requestOf(body) }
}

const requestOf = ({
  input: _input,
  stream: _stream,
  cache: _cache,
  strategy: _strategy,
  ...request
}: ResponseBody): ResponseRequest => request

function showsThinking(reasoning: ResponseBody['reasoning']): boolean {
  const { effort, summary } = reasoning ?? {}
  return effort !== 'none' && summary !== 'none' && (effort ?? summary) != null
}

/** The run or session behind which the input stands. */
function goingOn({ previous_response_id: previous, conversation }: ResponseBody) {
  if (previous && conversation) throw refusal('conversation', 'Send previous_response_id or conversation, not both')
  if (previous) return { previous_run_id: runIdOf(previous) }
  return conversation
    ? { session_id: sessionRefOf(typeof conversation === 'string' ? conversation : conversation.id) }
    : undefined
}

/** What is left out would change the answer without a word. */
function refuseUnserved({ background, store, prompt, include, ...body }: ResponseBody): void {
  if (prompt != null) throw refusal('prompt', 'There are no stored prompts: send instructions and input')
  if (body.max_tool_calls != null) throw refusal('max_tool_calls', 'The calls of tools cannot be limited here')
  if (body.truncation === 'disabled') throw refusal('truncation', 'What does not fit is always left out: use auto')
  if (body.top_logprobs || include?.includes('message.output_text.logprobs'))
    throw refusal('top_logprobs', 'Probabilities of tokens are not served')
  if (background && store === false) throw refusal('background', 'A response in the background needs store')
}

/** A model server knows no `required`: the model decides. */
function toolsOf(tools: NonNullable<ResponseBody['tools']>, choice: z.output<typeof ToolChoice>): ClientTool[] {
  const offered = tools.flatMap((tool, index): ClientTool[] => {
    if ('vector_store_ids' in tool) return []
    if (!('name' in tool))
      throw refusal(
        `tools.${index}`,
        `This version takes tools of the types function and file_search, not ${tool.type}; ${AGENT_MODEL} has its own`,
      )
    const { name, description, parameters } = tool
    return [{ name, description: description ?? '', parameters: parameters ?? { type: 'object', properties: {} } }]
  })
  if (choice === 'none') return []
  if (typeof choice === 'string') return offered
  if ('tools' in choice) return offered.filter(({ name }) => choice.tools.some((tool) => tool.name === name))
  if ('name' in choice) return offered.filter(({ name }) => name === choice.name)
  if (choice.type === 'file_search' && tools.some(({ type }) => type === 'file_search')) return []
  throw refusal('tool_choice', `This version chooses among the tools of the request, not ${choice.type}`)
}

function parametersOf({ temperature, top_p, max_output_tokens, text, reasoning }: ResponseBody): ModelParameters {
  const format = text?.format
  return {
    ...(temperature == null ? {} : { temperature }),
    ...(top_p == null ? {} : { top_p }),
    ...(max_output_tokens == null ? {} : { max_tokens: max_output_tokens }),
    ...thinkOf(reasoning?.effort),
    ...(format?.type === 'json_object' ? { format: 'json' as const } : {}),
    ...(format?.type === 'json_schema' ? { format: format.schema } : {}),
  }
}
