import { chatAgent, Message, MessagePage, Session, SessionQuery, type ToolRun } from '@youworker/contracts/chat-agent'
import { SessionRef } from '@youworker/contracts/agent/chat-input'
import { ToolEvent } from '@youworker/contracts/agent/run-log'
import { SessionChanges, SessionSettings } from '@youworker/contracts/agent/session-settings'
import { CursorPage, Id, listed } from '@youworker/contracts/common'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { IncludeDeleted, Purge } from './deletion-queries.ts'
import { everyPage } from './every-page.ts'

const SessionPath = z.object({ session_id: SessionRef })
/** Old clients send the title in the query. */
const TitleQuery = SessionSettings.pick({ title: true })
const NewSession = chatAgent.createSession.input

/** A branch of a session, by default the active one. */
interface Shown {
  readonly session_id: string
  readonly branch?: string | undefined
  readonly include?: 'thinking' | undefined
}

/** Bounds a session's history, which is answered without pages, to this many pages of 256 KiB. */
const MAX_PAGES = 64

type Deps = Pick<Clients, 'chatAgent'>
const client = (context: RequestContext, { chatAgent: sessions }: Deps) => sessions.as(context.scope)

async function messagesOf({ session_id, branch, include }: Shown, context: RequestContext, deps: Deps): Promise<Message[]> {
  const all: Message[] = []
  // Another branch may become the active one between two pages.
  let following: { after?: string; branch?: string | undefined } = { branch }
  for (let page = 0; page < MAX_PAGES; page++) {
    const { messages, next, branch: read } = await client(context, deps).listMessages({ session_id, include, ...following })
    all.push(...messages)
    if (next === null) break
    following = { after: next, branch: read }
  }
  return all
}

const eventsOf = ({ id: run_id, tool_name: tool, status, args, start_ts, end_ts, latency_ms, ...run }: ToolRun): ToolEvent[] => {
  const start: ToolEvent = { tool, status: 'start', args, ts: start_ts, run_id }
  if (end_ts === null) return [start]
  const result_preview = run.result_preview ?? run.error_message ?? ''
  return [
    start,
    { tool, status: status === 'success' ? 'end' : 'error', latency_ms: latency_ms ?? 0, result_preview, ts: end_ts, run_id },
  ]
}

async function toolEventsOf({ session_id, branch }: Shown, context: RequestContext, deps: Deps): Promise<ToolEvent[]> {
  const runs = await everyPage(async (page) => {
    const { runs: rows, total } = await client(context, deps).listToolRuns({ session_id, branch: branch ?? null, ...page })
    return { rows, total }
  })
  return runs.reverse().flatMap(eventsOf)
}

const read = { tag: 'sessions', auth: 'required', scopes: ['chat'], csrf: 'none', limit: 'default' } as const
const write = { tag: 'sessions', auth: 'required', scopes: ['chat'], csrf: 'required', limit: 'default' } as const
const LIST = { path: '/v1/sessions', aliases: ['/v1/chat/sessions'] } as const
const ONE = { path: '/v1/sessions/{session_id}', aliases: ['/v1/chat/sessions/{session_id}'] } as const

export const sessionRoutes = [
  defineRoute({
    ...read,
    ...LIST,
    method: 'GET',
    operation: 'listSessions',
    summary: "The caller's sessions",
    query: CursorPage.extend(IncludeDeleted.shape),
    answer: chatAgent.listSessions.output,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listSessions(query),
  }),
  defineRoute({
    ...write,
    ...LIST,
    method: 'POST',
    operation: 'createSession',
    summary: 'Create a session',
    query: TitleQuery,
    body: NewSession,
    answer: z.object({ external_id: z.string(), message: z.string() }),
    errors: chatAgent.createSession.errors,
    async handle({ query, body, context }, deps: Deps) {
      const title = body.title ?? query.title
      const { external_id } = await client(context, deps).createSession({ ...body, title }, context.idempotency)
      return { external_id, message: 'Session created' }
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    method: 'GET',
    operation: 'getSession',
    summary: 'One session with the messages and tool events of its active branch, or of `branch`',
    params: SessionPath,
    query: SessionQuery,
    answer: z.object({ session: Session, messages: z.array(Message), tool_events: z.array(ToolEvent) }),
    errors: chatAgent.listMessages.errors,
    async handle({ params: { session_id }, query: { branch, include }, context }, deps: Deps) {
      const [session, messages, tool_events] = await Promise.all([
        client(context, deps).getSession({ session_id }),
        messagesOf({ session_id, branch, include }, context, deps),
        toolEventsOf({ session_id, branch }, context, deps),
      ])
      return { session, messages, tool_events }
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/sessions/{session_id}/messages',
    operation: 'listMessages',
    summary: 'Messages of a session, oldest first, page by page: those of its active branch, or of `branch`',
    params: SessionPath,
    query: MessagePage,
    answer: z.object({
      messages: z.array(Message),
      branch: Id.optional().meta({ description: 'The branch that they are of, to read the following pages from.' }),
      next_after: listed.next_after,
    }),
    errors: chatAgent.listMessages.errors,
    async handle({ params, query, context }, deps: Deps) {
      const { messages, branch, next } = await client(context, deps).listMessages({ ...params, ...query })
      return { messages, branch, ...(next === null ? {} : { next_after: next }) }
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'PATCH',
    operation: 'updateSession',
    summary: 'Change title, model, tools, what a message does while another one is answered, or the branch that goes on',
    params: SessionPath,
    query: TitleQuery,
    body: SessionChanges,
    answer: Session,
    errors: chatAgent.updateSession.errors,
    handle({ params, query, body, context }, deps: Deps) {
      const title = body.title === undefined ? query.title : body.title
      return client(context, deps).updateSession(
        { ...params, ...body, ...(title === undefined ? {} : { title }) },
        context.idempotency,
      )
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    operation: 'deleteSession',
    summary: 'Delete the session with its messages; until it is erased it can be restored',
    params: SessionPath,
    query: Purge,
    status: 204,
    errors: chatAgent.deleteSession.errors,
    async handle({ params, query, context }, deps: Deps) {
      await client(context, deps).deleteSession({ ...params, ...query })
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/sessions/{session_id}/restore',
    aliases: ['/v1/chat/sessions/{session_id}/restore'],
    operation: 'restoreSession',
    summary: 'Bring a deleted session back, with its messages',
    params: SessionPath,
    answer: Session,
    errors: chatAgent.restoreSession.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).restoreSession(params),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/tool-runs',
    operation: 'listToolRuns',
    summary: 'Tool calls made for the caller',
    query: CursorPage.extend({ session_id: SessionRef.optional() }),
    answer: chatAgent.listToolRuns.output,
    errors: chatAgent.listToolRuns.errors,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listToolRuns(query),
  }),
]
