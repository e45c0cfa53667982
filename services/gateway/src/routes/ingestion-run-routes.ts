import { CursorPage } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { IngestionRun, RetryStage } from '@youworker/contracts/documents/runs'
import { ingestion } from '@youworker/contracts/ingestion'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { type Reply, SENT } from '../http/answers/reply.ts'
import type { IngestionWatcher } from '../streams/ingestion-watcher.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import { eventFrame, SseStream } from '../streams/sse.ts'

const RunPath = ingestion.getRun.input
const { errors } = ingestion.getRun

type Deps = Pick<Clients, 'ingestion'>
type RunCall = RouteCall<{ run_id: string }, unknown, unknown>
const client = (context: RequestContext, { ingestion: runs }: Deps) => runs.as(context.scope)

interface ProgressDeps {
  readonly ingestionWatcher: IngestionWatcher
  readonly streams: OpenStreams
}

const IngestionEvents = z.discriminatedUnion('event', [
  z.object({ event: z.literal('progress'), data: IngestionRun }),
  z.object({ event: z.literal('done'), data: IngestionRun }),
])

/** Sends `progress` at each change, then `done`; both carry the whole run. */
async function streamProgress({ params, context }: RunCall, { ingestionWatcher, streams }: ProgressDeps): Promise<Reply> {
  using stream = new SseStream(context, streams)
  // The next one has the whole run again.
  const onChange = (run: IngestionRun) => stream.isFull || stream.send(eventFrame('progress', run))
  try {
    const run = await ingestionWatcher.watch(params.run_id, context, { signal: stream.signal, onChange })
    await stream.drained()
    if (run && !stream.signal.aborted) stream.send(eventFrame('done', run))
    await stream.drained()
  } catch (error) {
    if (!stream.hasBegun) throw error
  }
  if (!stream.hasBegun && !context.outgoing.destroyed) {
    throw new AppError('SERVICE_UNAVAILABLE', 'The stream ended before it began; ask again', { retryAfter: 1 })
  }
  return SENT
}

const read = {
  tag: 'ingestion',
  auth: 'required',
  scopes: ['documents', 'documents:read'],
  csrf: 'none',
  limit: 'default',
} as const
const write = { tag: 'ingestion', auth: 'required', scopes: ['documents'], csrf: 'required', limit: 'default' } as const

export const ingestionRunRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/ingestion-runs',
    operation: 'listIngestionRuns',
    summary: "The caller's ingestion runs",
    query: CursorPage,
    answer: ingestion.listRuns.output,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listRuns(query),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/ingestion-runs/{run_id}',
    operation: 'getIngestionRun',
    summary: 'One run with the state of each file',
    params: RunPath,
    answer: IngestionRun,
    errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getRun(params),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/ingestion-runs/{run_id}/events',
    operation: 'streamIngestionRun',
    summary: 'Progress of a run as events',
    params: RunPath,
    media: 'text/event-stream',
    events: IngestionEvents,
    errors,
    handle: streamProgress,
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/ingestion-runs/{run_id}',
    operation: 'deleteIngestionRun',
    summary: 'Forget a finished run; its documents stay',
    params: RunPath,
    status: 204,
    errors: ingestion.deleteRun.errors,
    async handle({ params, context }, deps: Deps) {
      await client(context, deps).deleteRun(params)
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/ingestion-runs/{run_id}/cancel',
    operation: 'cancelIngestionRun',
    summary: 'Cancel a run',
    params: RunPath,
    answer: IngestionRun,
    errors: ingestion.cancelRun.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).cancelRun(params, context.idempotency),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/ingestion-runs/{run_id}/retry',
    operation: 'retryIngestionRun',
    summary: 'Run the failed files again, each from where it stopped or from an earlier stage',
    params: RunPath,
    body: z.object({ stage: RetryStage.optional() }),
    answer: IngestionRun,
    errors: ingestion.retryRun.errors,
    handle: ({ params, body, context }, deps: Deps) =>
      client(context, deps).retryRun({ ...params, ...body }, context.idempotency),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/ingestion-runs/{run_id}/pause',
    operation: 'pauseIngestionRun',
    summary: 'Let nobody work on a run until it is resumed; its files keep what they have reached',
    params: RunPath,
    answer: IngestionRun,
    errors: ingestion.pauseRun.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).pauseRun(params, context.idempotency),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/ingestion-runs/{run_id}/resume',
    operation: 'resumeIngestionRun',
    summary: 'Let a paused run go on',
    params: RunPath,
    answer: IngestionRun,
    errors: ingestion.resumeRun.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).resumeRun(params, context.idempotency),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/ingestion-runs/{run_id}/timeline',
    operation: 'getIngestionRunTimeline',
    summary: 'What became of each file of a run, step by step with durations',
    params: RunPath,
    answer: ingestion.getRunTimeline.output,
    errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getRunTimeline(params),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}/timeline',
    operation: 'getDocumentTimeline',
    summary: 'How the versions of a document came to be, step by step with durations',
    params: ingestion.getDocumentTimeline.input,
    answer: ingestion.getDocumentTimeline.output,
    errors: ingestion.getDocumentTimeline.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getDocumentTimeline(params),
  }),
]
