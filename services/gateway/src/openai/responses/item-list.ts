import type { ConversationMessage } from '@youworker/contracts/agent/model'
import { z } from 'zod'
import { noSuchItem } from './ids.ts'
import { OutputItem } from './response-object.ts'

const id = z.string()
const status = z.literal('completed')
const Content = z.array(
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('input_text'), text: z.string() }),
    z.object({ type: z.literal('input_image'), detail: z.literal('auto') }),
    z.object({ type: z.literal('output_text'), text: z.string(), annotations: z.array(z.never()), logprobs: z.array(z.never()) }),
  ]),
)
const Item = z.union([
  OutputItem,
  z.object({
    type: z.literal('message'),
    id,
    status,
    role: z.enum(['user', 'developer', 'assistant']),
    content: Content,
  }),
  z.object({ type: z.literal('function_call_output'), id, status, call_id: z.string(), output: z.string() }),
])
export type Item = z.output<typeof Item>

export const ItemList = z
  .object({
    object: z.literal('list'),
    data: z.array(Item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'ItemList' })

export const ItemQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().max(200).optional(),
})
type ItemQuery = z.output<typeof ItemQuery>

/** What a run was given, as items. */
export function inputItems(runId: string, input: readonly ConversationMessage[]): Item[] {
  let count = 0
  const next = (prefix: string) => `${prefix}_${runId}_in${count++}`
  return input.flatMap((turn): Item[] => {
    if (turn.role === 'tool')
      return [
        { type: 'function_call_output', id: next('fco'), status: 'completed', call_id: turn.call_id ?? '', output: turn.content },
      ]
    if (turn.role === 'user') return [messageItem(next('msg'), 'user', turn.content, turn.images?.length)]
    if (turn.role === 'system') return [messageItem(next('msg'), 'developer', turn.content)]
    const said = turn.content === '' ? [] : [messageItem(next('msg'), 'assistant', turn.content)]
    const calls = (turn.tool_calls ?? []).map(({ id: call_id = '', name, arguments: args }) => {
      return {
        type: 'function_call',
        id: next('fc'),
        call_id,
        name,
        arguments: JSON.stringify(args),
        status: 'completed',
      } as const
    })
    return [...said, ...calls]
  })
}

/** Images were given to the model, and are not told again. */
function messageItem(itemId: string, role: 'user' | 'developer' | 'assistant', text: string, images = 0): Item {
  const content =
    role === 'assistant'
      ? ({ type: 'output_text', text, annotations: [], logprobs: [] } as const)
      : ({ type: 'input_text', text } as const)
  const shown = Array.from({ length: images }, () => ({ type: 'input_image', detail: 'auto' }) as const)
  return { type: 'message', id: itemId, status: 'completed', role, content: [content, ...shown] as z.output<typeof Content> }
}

/** A page of items, which are in the order of the conversation. */
export function pageOf(items: readonly Item[], { limit, order, after }: ItemQuery): z.output<typeof ItemList> {
  const ordered = order === 'asc' ? items : items.toReversed()
  const begin = after === undefined ? 0 : ordered.findIndex((item) => item.id === after) + 1
  if (after !== undefined && begin === 0) throw noSuchItem('after')
  return listOf(ordered.slice(begin, begin + limit), ordered.length > begin + limit)
}

export const listOf = (data: Item[], has_more: boolean): z.output<typeof ItemList> => ({
  object: 'list',
  data,
  first_id: data[0]?.id ?? null,
  last_id: data.at(-1)?.id ?? null,
  has_more,
})
