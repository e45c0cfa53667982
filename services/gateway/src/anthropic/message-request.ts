import { Strategy } from '@youworker/contracts/agent/chat-input'
import { ClientTool, type ConversationMessage, type Image, type ModelParameters } from '@youworker/contracts/agent/model'
import { Line } from '@youworker/contracts/common'
import { countTokens, IMAGE_TOKENS } from '@youworker/runtime/text/count-tokens'
import { z } from 'zod'
import { imagesOfInput, readImage } from '../protocols/images.ts'
import { Cache, refusal, requireQuestion, runInput } from '../protocols/run-input.ts'

const CallId = z.string().max(200)
const ToolName = z.string().max(64)
const TextBlock = z.object({ type: z.literal('text'), text: z.string() })
const ImageBlock = z.object({
  type: z.literal('image'),
  source: z.union([
    z.object({ type: z.literal('base64'), data: z.string() }),
    z.object({ type: z.literal('url'), url: z.string() }),
    z.object({ type: z.string().refine((type) => type !== 'base64' && type !== 'url', 'lacks data or url') }),
  ]),
})
/** Blocks of other types are refused with what they are. */
const OtherBlock = z.object({ type: z.string().refine((type) => type !== 'image', 'lacks its source') })
const ResultContent = z.union([z.string(), z.array(z.union([TextBlock, OtherBlock])).max(200)])
const Block = z.union([
  TextBlock,
  z.object({ type: z.literal('tool_use'), id: CallId, name: ToolName, input: z.record(z.string(), z.unknown()) }),
  z.object({
    type: z.literal('tool_result'),
    tool_use_id: CallId,
    content: ResultContent.nullish(),
    is_error: z.boolean().nullish(),
  }),
  ImageBlock,
  OtherBlock,
])
type Block = z.output<typeof Block>

const Tool = z.object({
  name: ToolName,
  description: ClientTool.shape.description,
  input_schema: z.record(z.string(), z.unknown()),
})

/** As of Anthropic's messages. Fields that change nothing here are ignored. */
export const CountBody = z
  .object({
    model: Line(128),
    system: z.union([z.string(), z.array(TextBlock).max(100)]).nullish(),
    messages: z
      .array(z.object({ role: z.enum(['user', 'assistant', 'system']), content: z.union([z.string(), z.array(Block).max(500)]) }))
      .min(1)
      .max(1_000),
    tools: z.array(Tool).max(128).nullish(),
    tool_choice: z.object({ type: z.enum(['auto', 'any', 'tool', 'none']), name: ToolName.nullish() }).nullish(),
  })
  .meta({ id: 'CountBody' })
type CountBody = z.output<typeof CountBody>

export const MessageBody = CountBody.extend({
  max_tokens: z.number().int().min(1).max(1_000_000),
  stream: z.boolean().nullish(),
  strategy: Strategy.nullish(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  thinking: z
    .object({ type: z.string().max(32), display: z.string().max(32).nullish() })
    .nullish()
    .meta({
      description:
        'What the model thinks comes as blocks, unless it is `disabled` or its display `omitted`; where the model tells.',
    }),
  stop_sequences: z.array(z.string().min(1).max(200)).max(4).nullish(),
  cache: Cache,
}).meta({ id: 'MessageBody' })
type MessageBody = z.output<typeof MessageBody>

/** What starts the run that answers it. Throws `VALIDATION_ERROR` for what is not served. */
export function toRunInput(body: MessageBody) {
  const { temperature, top_p, stop_sequences: stop, max_tokens } = body
  const parameters: ModelParameters = {
    max_tokens,
    ...(temperature == null ? {} : { temperature }),
    ...(top_p == null ? {} : { top_p }),
    ...(stop == null ? {} : { stop }),
  }
  const conversation = readMessages(body)
  requireQuestion(conversation, 'messages')
  return runInput({
    model: body.model,
    instructions: systemOf(body),
    conversation,
    parameters,
    tools: toolsOf(body),
    mayUseTools: body.tool_choice?.type !== 'none',
    cache: body.cache,
    strategy: body.strategy,
    showThinking: body.thinking != null && body.thinking.type !== 'disabled' && body.thinking.display !== 'omitted',
  })
}

/** Estimated, as all tokens that no model has counted. */
export function countInput(body: CountBody): number {
  const conversation = readMessages(body)
  const texts = conversation.map((message) => message.content + callsOf(message))
  const ofImages = imagesOfInput({ conversation }).length * IMAGE_TOKENS
  return [systemOf(body), ...texts, ...(body.tools ?? []).map((tool) => JSON.stringify(tool))].reduce(
    (sum, text) => sum + countTokens(text),
    ofImages,
  )
}

const callsOf = (message: ConversationMessage): string =>
  message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : ''

const systemOf = ({ system }: CountBody): string =>
  typeof system === 'string' ? system : (system ?? []).map(({ text }) => text).join('\n\n')

/** A model server knows no `any`: the model decides. */
function toolsOf({ tools, tool_choice: choice }: CountBody): ClientTool[] {
  if (choice?.type === 'none') return []
  const wanted = (tools ?? []).filter(({ name }) => choice?.type !== 'tool' || name === choice.name)
  return wanted.map(({ name, description, input_schema }) => ({ name, description, parameters: input_schema }))
}

function readMessages({ messages }: CountBody): ConversationMessage[] {
  const conversation: ConversationMessage[] = []
  /** Of the calls so far, by id. */
  const names = new Map<string, string>()
  for (const [index, { role, content }] of messages.entries()) {
    const blocks: readonly Block[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content
    const read = { field: `messages.${index}.content`, names }
    if (role === 'assistant') conversation.push(readAssistant(blocks, read))
    else if (role === 'system') conversation.push({ role, content: textOf(blocks, read.field) })
    else conversation.push(...readUser(blocks, read))
  }
  return conversation
}

interface Reading {
  readonly field: string
  readonly names: Map<string, string>
}

function readAssistant(blocks: readonly Block[], { field, names }: Reading): ConversationMessage {
  let content = ''
  const tool_calls = []
  for (const block of blocks) {
    if ('text' in block) content += block.text
    else if ('input' in block) {
      names.set(block.id, block.name)
      tool_calls.push({ ...(block.id === '' ? {} : { id: block.id }), name: block.name, arguments: block.input })
      // What a model has thought is not given to the next one.
    } else if (!block.type.endsWith('thinking')) throw notText(field, block.type)
  }
  return { role: 'assistant', content, ...(tool_calls.length > 0 ? { tool_calls } : {}) }
}

function readUser(blocks: readonly Block[], { field, names }: Reading): ConversationMessage[] {
  const results: ConversationMessage[] = []
  const texts: string[] = []
  const images: Image[] = []
  for (const block of blocks) {
    if ('text' in block) texts.push(block.text)
    else if ('tool_use_id' in block) {
      const tool_name = names.get(block.tool_use_id)
      if (tool_name === undefined) throw refusal(field, `No message before it has a tool_use with the id ${block.tool_use_id}`)
      const text = resultText(block.content ?? '', field)
      const call = block.tool_use_id === '' ? {} : { call_id: block.tool_use_id }
      results.push({ role: 'tool', tool_name, ...call, content: block.is_error ? `Error: ${text}` : text })
    } else if ('source' in block) images.push(imageOf(block, field))
    else throw notText(field, block.type)
  }
  if (texts.length + images.length === 0) return results
  return [...results, { role: 'user', content: texts.join('\n\n'), ...(images.length > 0 ? { images } : {}) }]
}

function imageOf({ source }: z.output<typeof ImageBlock>, field: string): Image {
  if ('data' in source) return readImage(source.data, field)
  if ('url' in source) return readImage(source.url, field)
  throw refusal(field, `This version takes images as base64, not as ${source.type}`)
}

const resultText = (content: z.output<typeof ResultContent>, field: string): string =>
  typeof content === 'string' ? content : textOf(content, field)

function textOf(blocks: readonly Block[], field: string): string {
  const texts = blocks.map((block) => {
    if ('text' in block) return block.text
    throw notText(field, block.type)
  })
  return texts.join('\n')
}

const notText = (field: string, type: string) =>
  refusal(field, `This version takes text and, of the user, images, and no block of the type ${type}`)
