import type { ConversationMessage, Image } from '@youworker/contracts/agent/model'
import { z } from 'zod'
import { readImage } from '../../protocols/images.ts'
import { refusal } from '../../protocols/run-input.ts'

const TextPart = z.object({ type: z.enum(['input_text', 'output_text', 'text']), text: z.string() })
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })
const ImagePart = z.object({ type: z.literal('input_image'), image_url: z.string() })
/** Parts and items of other types are refused with what they are. */
const OtherPart = z.object({ type: z.string() })
const Content = z.union([z.string(), z.array(z.union([TextPart, RefusalPart, ImagePart, OtherPart])).max(200)])
const CallId = z.string().min(1).max(200)

const MessageItem = z.object({
  type: z.literal('message').nullish(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: Content,
})
const CallItem = z.object({ type: z.literal('function_call'), call_id: CallId, name: z.string().max(64), arguments: z.string() })
const OutputItem = z.object({ type: z.literal('function_call_output'), call_id: CallId, output: Content })

/** Of an item of an earlier response. */
const ReferenceItem = z.object({ type: z.literal('item_reference'), id: z.string().max(200) })
const known = /^(message|function_call|function_call_output|item_reference)$/
const OtherItem = z.object({ type: z.string().refine((type) => !known.test(type), 'lacks what items of this type have') })

export const InputItem = z.union([MessageItem, CallItem, OutputItem, ReferenceItem, OtherItem])
type InputItem = z.output<typeof InputItem>

/** Throws `VALIDATION_ERROR` for what is not served. */
export function readItems(input: string | readonly InputItem[]): ConversationMessage[] {
  if (typeof input === 'string') return input.trim() === '' ? [] : [{ role: 'user', content: input }]
  const conversation: ConversationMessage[] = []
  for (const [index, item] of input.entries()) {
    const field = `input.${index}`
    if ('role' in item) {
      const role = item.role === 'developer' ? 'system' : item.role
      const images = imagesOf(item.content, field)
      const content = textOf(item.content, field)
      if (images.length === 0) conversation.push({ role, content })
      else if (role === 'user') conversation.push({ role, content, images })
      else throw refusal(field, 'Only messages of the user may have images')
    } else if ('arguments' in item) addCall(conversation, item, field)
    else if ('output' in item) {
      if (imagesOf(item.output, field).length > 0) throw refusal(field, 'Only messages of the user may have images')
      conversation.push({ role: 'tool', content: textOf(item.output, field), call_id: item.call_id })
      // What a model has thought and searched is not given to the next one: its answer says what came of it.
    } else if (item.type !== 'reasoning' && item.type !== 'file_search_call')
      throw refusal(field, `This version takes no items of the type ${item.type}`)
  }
  return conversation
}

/** Calls belong to the message of the assistant before them. */
function addCall(conversation: ConversationMessage[], item: z.output<typeof CallItem>, field: string): void {
  const call = { id: item.call_id, name: item.name, arguments: argumentsOf(item.arguments, field) }
  const last = conversation.at(-1)
  if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call]
  else conversation.push({ role: 'assistant', content: '', tool_calls: [call] })
}

function argumentsOf(json: string, field: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Said below.
  }
  throw refusal(`${field}.arguments`, 'The arguments of a call are an object in JSON')
}

function textOf(content: z.output<typeof Content>, field: string): string {
  if (typeof content === 'string') return content
  const texts = content.map((part) => {
    if ('text' in part) return part.text
    if ('refusal' in part) return part.refusal
    if ('image_url' in part) return ''
    const advice = part.type === 'input_image' ? ' without image_url: send the image itself, as data:image/png;base64,…' : ''
    throw refusal(field, `This version takes text and images, and no part of the type ${part.type}${advice}`)
  })
  return texts.join('')
}

const imagesOf = (content: z.output<typeof Content>, field: string): Image[] =>
  typeof content === 'string' ? [] : content.flatMap((part) => ('image_url' in part ? [readImage(part.image_url, field)] : []))
