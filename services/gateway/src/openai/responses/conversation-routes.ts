import type { Session } from '@youworker/contracts/chat-agent'
import { Metadata } from '@youworker/contracts/common'
import { z } from 'zod'
import { defineRoute } from '../../http/define-route.ts'
import type { RequestContext } from '../../http/request-context.ts'
import type { ProtocolDeps } from '../../protocols/answer-run.ts'
import { TEXT_BYTES } from '../../protocols/images.ts'
import { refusal } from '../../protocols/run-input.ts'
import { conversationId, noSuchItem, runIdOfItem, sessionRefOf } from './ids.ts'
import { InputItem, readItems } from './input-items.ts'
import { inputItems, type Item, ItemList, ItemQuery, listOf } from './item-list.ts'
import { outputOf } from './response-object.ts'

const Conversation = z
  .object({
    id: z.string(),
    object: z.literal('conversation'),
    created_at: z.number().int(),
    metadata: Metadata,
  })
  .meta({ id: 'Conversation' })

const toConversation = ({ id, created_at, metadata = {} }: Session) => ({
  id: conversationId(id),
  object: 'conversation' as const,
  created_at: Math.floor(Date.parse(created_at) / 1_000),
  metadata,
})

type Deps = Pick<ProtocolDeps, 'chatAgent'>
type LogDeps = Pick<ProtocolDeps, 'chatAgent' | 'runStreams'>
type Part = Awaited<ReturnType<ReturnType<Deps['chatAgent']['as']>['listTurns']>>['parts'][number]

const common = { tag: 'openai', auth: 'required', scopes: ['chat'], limit: 'default' } as const
const read = { ...common, method: 'GET', csrf: 'none', errors: ['SESSION_NOT_FOUND'] } as const
const write = { ...common, csrf: 'required', errors: ['SESSION_NOT_FOUND'] } as const
const ONE = {
  path: '/v1/conversations/{conversation_id}',
  params: z.object({ conversation_id: z.string().max(200) }),
} as const

export const conversationRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/conversations',
    operation: 'createConversation',
    summary:
      "Begin a conversation for `responses`; it is a session, and each session is a conversation with the id `conv_` and the session's",
    bodyLimit: TEXT_BYTES,
    body: z.object({ items: z.array(InputItem).max(20).nullish(), metadata: Metadata.nullish() }).meta({ id: 'NewConversation' }),
    answer: Conversation,
    errors: [],
    async handle({ body: { items, metadata }, context }, { chatAgent }: Deps) {
      const opening = readItems(items ?? []).map(({ role, content, ...more }, index) => {
        if ('images' in more) throw refusal(`items.${index}`, 'A conversation begins with text: send images with a question')
        if ((role === 'user' || role === 'assistant') && content.trim() !== '') return { role, content }
        throw refusal(`items.${index}`, 'A conversation begins with messages of the user and the assistant')
      })
      return toConversation(await chatAgent.as(context.scope).createSession({ metadata, opening }, context.idempotency))
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    operation: 'getConversation',
    summary: 'A conversation',
    answer: Conversation,
    async handle({ params, context }, { chatAgent }: Deps) {
      return toConversation(await chatAgent.as(context.scope).getSession({ session_id: sessionRefOf(params.conversation_id) }))
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'POST',
    operation: 'updateConversation',
    summary: 'Change what is attached to a conversation',
    body: z.object({ metadata: Metadata.nullable() }),
    answer: Conversation,
    async handle({ params, body: { metadata }, context }, { chatAgent }: Deps) {
      const session_id = sessionRefOf(params.conversation_id)
      return toConversation(await chatAgent.as(context.scope).updateSession({ session_id, metadata }, context.idempotency))
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    operation: 'deleteConversation',
    summary: 'Erase a conversation with everything in it',
    answer: z.object({ id: z.string(), object: z.literal('conversation.deleted'), deleted: z.literal(true) }),
    async handle({ params: { conversation_id: id }, context }, { chatAgent }: Deps) {
      await chatAgent.as(context.scope).deleteSession({ session_id: sessionRefOf(id) })
      return { id, object: 'conversation.deleted', deleted: true } as const
    },
  }),
  defineRoute({
    ...read,
    path: `${ONE.path}/items`,
    params: ONE.params,
    operation: 'listConversationItems',
    summary: 'What was said in a conversation, newest first',
    query: ItemQuery,
    answer: ItemList,
    handle: ({ params, query, context }, deps: LogDeps) =>
      readItemsPage(sessionRefOf(params.conversation_id), query, context, deps),
  }),
]

/** Asks for parts until the page is full. */
async function readItemsPage(
  session_id: string,
  { limit, order, after }: z.output<typeof ItemQuery>,
  context: RequestContext,
  deps: LogDeps,
): Promise<z.output<typeof ItemList>> {
  const client = deps.chatAgent.as(context.scope)
  const data: Item[] = []
  let page: { from?: string; after?: number } = after === undefined ? {} : { from: runIdOfItem(after, 'after') }
  let isBehind = after === undefined
  for (;;) {
    const { parts, more } = await client.listTurns({ session_id, order, ...page })
    for (const part of parts) {
      const items = await itemsOf(part, context, deps)
      for (const item of order === 'asc' ? items : items.toReversed()) {
        if (isBehind) data.push(item)
        else isBehind = item.id === after
        if (data.length > limit) return listOf(data.slice(0, limit), true)
      }
    }
    const last = parts.at(-1)
    if (!isBehind && (page.from === undefined || !more)) throw noSuchItem('after')
    if (!more || !last) return listOf(data, false)
    page = { after: last.position }
  }
}

async function itemsOf(
  { run_id, input, answer, shows_thinking }: Part,
  context: RequestContext,
  { runStreams }: LogDeps,
): Promise<Item[]> {
  if (!answer) return inputItems(run_id, input ?? [])
  const whole = shows_thinking && (await runStreams.whole(run_id, context, context.deadline.longestMs))
  return outputOf({ ...answer, ...(whole && { thoughts: whole.thoughts, searches: whole.searches }) }, run_id)
}
