import { chatAgent, Message, Session, SessionRef, SessionSettings, type ToolRun } from '@youworker/contracts/chat-agent'
import { ToolEvent } from '@youworker/contracts/run-log'
import { Page } from '@youworker/contracts/common'
import { z } from 'zod'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
import { everyPage } from './every-page.ts'

const SessionPath = z.object({ session_id: SessionRef })
/** Old clients send the title in the query. */
const TitleQuery = SessionSettings.pick({ title: true })
const NewSession = chatAgent.createSession.input

/** A session's history is answered whole; this many pages of 256 KiB bound it. */
const MAX_PAGES = 64

type SessionCall = Pick<RouteCall<unknown, unknown, unknown>, 'deps' | 'context'>
const client = ({ deps, context }: SessionCall) => deps.chatAgent.as(context.scope)

async function messagesOf(session_id: string, call: SessionCall): Promise<Message[]> {
  const all: Message[] = []
  let after: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const { messages, next } = await client(call).listMessages({ session_id, ...(after === undefined ? {} : { after }) })
    all.push(...messages)
    if (next === null) break
    after = next
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

async function toolEventsOf(session_id: string, call: SessionCall): Promise<ToolEvent[]> {
  const runs = await everyPage(async (page) => {
    const { runs: rows, total } = await client(call).listToolRuns({ session_id, ...page })
    return { rows, total }
  })
  return runs.reverse().flatMap(eventsOf)
}

const read = { tag: 'sessions', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'sessions', auth: 'required', csrf: 'required', limit: 'default' } as const
const LIST = { path: '/v1/sessions', aliases: ['/v1/chat/sessions'] } as const
const ONE = { path: '/v1/sessions/{session_id}', aliases: ['/v1/chat/sessions/{session_id}'] } as const

export const sessionRoutes = [
  defineRoute({
    ...read,
    ...LIST,
    method: 'GET',
    summary: "The caller's sessions",
    query: Page,
    answer: chatAgent.listSessions.output,
    handle: ({ query, ...call }) => client(call).listSessions(query),
  }),
  defineRoute({
    ...write,
    ...LIST,
    method: 'POST',
    summary: 'Create a session',
    query: TitleQuery,
    body: NewSession,
    answer: z.object({ external_id: z.string(), message: z.string() }),
    errors: chatAgent.createSession.errors,
    async handle({ query, body, ...call }) {
      const title = body.title ?? query.title
      const { external_id } = await client(call).createSession({ ...body, title }, call.context.once)
      return { external_id, message: 'Session created' }
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    method: 'GET',
    summary: 'One session with its messages and tool events',
    params: SessionPath,
    answer: z.object({ session: Session, messages: z.array(Message), tool_events: z.array(ToolEvent) }),
    errors: chatAgent.getSession.errors,
    async handle({ params: { session_id }, ...call }) {
      const [session, messages, tool_events] = await Promise.all([
        client(call).getSession({ session_id }),
        messagesOf(session_id, call),
        toolEventsOf(session_id, call),
      ])
      return { session, messages, tool_events }
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'PATCH',
    summary: 'Change title, model or tools',
    params: SessionPath,
    query: TitleQuery,
    body: SessionSettings,
    answer: Session,
    errors: chatAgent.updateSession.errors,
    handle({ params, query, body, ...call }) {
      const title = body.title === undefined ? query.title : body.title
      return client(call).updateSession({ ...params, ...body, ...(title === undefined ? {} : { title }) }, call.context.once)
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    summary: 'Erase the session with its messages',
    params: SessionPath,
    status: 204,
    errors: chatAgent.deleteSession.errors,
    async handle({ params, ...call }) {
      await client(call).deleteSession(params)
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/tool-runs',
    summary: 'Tool calls made for the caller',
    query: Page.extend({ session_id: SessionRef.optional() }),
    answer: chatAgent.listToolRuns.output,
    errors: chatAgent.listToolRuns.errors,
    handle: ({ query, ...call }) => client(call).listToolRuns(query),
  }),
]
