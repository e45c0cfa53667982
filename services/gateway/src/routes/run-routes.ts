import { ChatRun, chatAgent } from '@youworker/contracts/chat-agent'
import { TERMINAL } from '@youworker/contracts/common'
import { RunEntryBody, WholeDone } from '@youworker/contracts/agent/run-log'
import { RunStep, StepPage } from '@youworker/contracts/agent/run-steps'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RunStreams } from '../streams/run-streams.ts'

const RunPath = chatAgent.getRun.input
const { errors } = chatAgent.getRun
const EntryNumber = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const AfterQuery = z.object({ after: EntryNumber.optional() })

interface Streams {
  readonly runStreams: RunStreams
}

export const runRoutes = [
  defineRoute({
    method: 'GET',
    path: '/v1/runs/{run_id}',
    tag: 'runs',
    operation: 'getRun',
    summary: 'State, steps and usage of a run, and its answer when it has ended',
    auth: 'required',
    scopes: ['chat'],
    csrf: 'none',
    limit: 'default',
    params: RunPath,
    answer: ChatRun.extend({ answer: WholeDone.nullable() }),
    errors,
    async handle({ params, context }, { chatAgent: client, runStreams }: Pick<Clients, 'chatAgent'> & Streams) {
      const run = await client.as(context.scope).getRun(params)
      const hasEnded = TERMINAL.includes(run.status)
      const whole = hasEnded ? await runStreams.whole(params.run_id, context, context.deadline.longestMs) : undefined
      return { ...run, answer: whole?.done ?? null }
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/runs/{run_id}/events',
    tag: 'runs',
    operation: 'streamRun',
    summary:
      "The run's log as events, for EventSource and after a reconnect: from `Last-Event-ID` or `after`, else from the beginning; 204 when nothing follows",
    auth: 'required',
    scopes: ['chat'],
    csrf: 'none',
    limit: 'default',
    params: RunPath,
    query: AfterQuery,
    media: 'text/event-stream',
    events: RunEntryBody,
    errors,
    handle({ params: { run_id }, query, context }, { runStreams }: Streams) {
      // A browser's EventSource sends the header when it reconnects, with the query of its first request.
      const last = EntryNumber.safeParse(context.incoming.headers['last-event-id'] ?? query.after ?? 0)
      return runStreams.stream(run_id, context, { after: last.success ? last.data : 0 })
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/runs/{run_id}/steps',
    tag: 'runs',
    operation: 'listRunSteps',
    summary:
      'The calls of the model and of tools that the run made, in their order; with `include=content` what was asked and answered',
    auth: 'required',
    scopes: ['chat'],
    csrf: 'none',
    limit: 'default',
    params: RunPath,
    query: StepPage,
    answer: z.object({
      steps: z.array(RunStep),
      next_after: z.number().int().optional().meta({ description: 'For `after` of the next page, when there is one.' }),
    }),
    errors: chatAgent.listSteps.errors,
    async handle({ params, query, context }, { chatAgent: client }: Pick<Clients, 'chatAgent'>) {
      const { steps, next } = await client.as(context.scope).listSteps({ ...params, ...query })
      return { steps, ...(next === null ? {} : { next_after: next }) }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/runs/{run_id}/stop',
    tag: 'runs',
    operation: 'stopRun',
    summary: 'Stop the run; what it said so far is kept',
    auth: 'required',
    scopes: ['chat'],
    csrf: 'required',
    limit: 'default',
    params: RunPath,
    answer: ChatRun,
    errors: chatAgent.stopRun.errors,
    handle: ({ params, context }, { chatAgent: client }: Pick<Clients, 'chatAgent'>) =>
      client.as(context.scope).stopRun(params, context.idempotency),
  }),
]
