import { ChatRun, chatAgent } from '@youworker/contracts/chat-agent'
import { z } from 'zod'
import { defineRoute } from '../http/define-route.ts'
import { streamRun } from '../streams/stream-run.ts'

const RunPath = chatAgent.getRun.input
const { errors } = chatAgent.getRun
const EntryNumber = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const AfterQuery = z.object({ after: EntryNumber.optional() })

export const runRoutes = [
  defineRoute({
    method: 'GET',
    path: '/v1/runs/{run_id}',
    tag: 'runs',
    summary: 'State, steps and usage of a run',
    auth: 'required',
    csrf: 'none',
    limit: 'default',
    params: RunPath,
    answer: ChatRun,
    errors,
    handle: ({ params, context, deps }) => deps.chatAgent.as(context.scope).getRun(params),
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/runs/{run_id}/events',
    tag: 'runs',
    summary: "The run's log as events, from `Last-Event-ID` or `after`, else from the beginning",
    auth: 'required',
    csrf: 'none',
    limit: 'default',
    params: RunPath,
    query: AfterQuery,
    media: 'text/event-stream',
    errors,
    handle({ params: { run_id }, query, context, deps }) {
      // A browser's EventSource sends the header by itself when it comes back, with the query of its first try.
      const last = EntryNumber.safeParse(context.incoming.headers['last-event-id'] ?? query.after ?? 0)
      return streamRun(run_id, context, deps, { after: last.success ? last.data : 0 })
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/runs/{run_id}/stop',
    tag: 'runs',
    summary: 'Stop the run; what it said so far is kept',
    auth: 'required',
    csrf: 'required',
    limit: 'default',
    params: RunPath,
    answer: ChatRun,
    errors: chatAgent.stopRun.errors,
    handle: ({ params, context, deps }) => deps.chatAgent.as(context.scope).stopRun(params, context.once),
  }),
]
