import type { FileSearch } from '@youworker/contracts/agent/file-search'
import { TERMINAL } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { newId } from '@youworker/runtime/id'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { answerRun, failureOf, type ProtocolDeps } from '../../protocols/answer-run.ts'
import { BODY_BYTES, imagesOfInput, requireRoom } from '../../protocols/images.ts'
import type { WholeRun } from '../../streams/run-streams.ts'
import { runIdOf } from './ids.ts'
import { withItems } from './item-references.ts'
import { inputItems, ItemList, ItemQuery, pageOf } from './item-list.ts'
import { ResponseEvent } from './response-events.ts'
import { begunResponse, endedResponse, ResponseObject } from './response-object.ts'
import { ResponseBody, ResponseRequest, toRunInput } from './response-request.ts'
import { ResponseWriter } from './response-writer.ts'

type Deps = ProtocolDeps & Pick<Clients, 'ingestion'>

/** How long a cancel waits for the end of the run. */
const CANCEL_MS = 4_000

const common = { tag: 'openai', auth: 'required', scopes: ['chat'] } as const
const read = { ...common, method: 'GET', csrf: 'none', limit: 'default', errors: ['RUN_NOT_FOUND'] } as const
const write = { ...common, csrf: 'required', limit: 'default', errors: ['RUN_NOT_FOUND'] } as const
const ONE = { path: '/v1/responses/{response_id}', params: z.object({ response_id: z.string().max(200) }) } as const
const StreamQuery = z.object({
  stream: z.stringbool().optional(),
  starting_after: z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).optional(),
})

export const responseRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/responses',
    operation: 'createResponse',
    summary: "OpenAI's responses: `youworker` is the agent with its documents and tools, every other name a model itself",
    limit: 'chat',
    bodyLimit: BODY_BYTES,
    body: ResponseBody,
    answer: ResponseObject,
    media: 'text/event-stream',
    events: ResponseEvent,
    errors: ['SESSION_NOT_FOUND', 'RUN_NOT_FOUND', 'MODEL_NOT_FOUND', 'COLLECTION_NOT_FOUND', 'CONFLICT', 'LLM_ERROR'],
    async handle({ body, context }, deps: Deps) {
      const input = toRunInput(await withItems(body, context, deps))
      await requireStores(input.file_search, context, deps)
      requireRoom(imagesOfInput(input), context)
      const start = (run_id: string) => deps.chatAgent.as(context.scope).startResponse({ ...input, run_id }, context.idempotency)
      const isStream = body.stream ?? false
      if (body.background && !isStream) return begin(start, body, context, deps)
      const writer = new ResponseWriter(body)
      const protocol = {
        framesOf: writer.framesOf.bind(writer),
        bodyOf({ done, thoughts, searches }: WholeRun, run_id: string) {
          if (done.metadata.status === 'error') throw failureOf(done)
          return endedResponse({ ...done, thoughts, searches }, { run_id, session_id: done.metadata.session_id, request: body })
        },
      }
      return answerRun(start, isStream, protocol, context, deps)
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    operation: 'getResponse',
    summary:
      'A response; with `stream=true` its events from the first one, or from behind `starting_after`, also when it has ended',
    query: StreamQuery,
    answer: ResponseObject,
    media: 'text/event-stream',
    events: ResponseEvent,
    async handle({ params, query, context }, deps: ProtocolDeps) {
      const run_id = runIdOf(params.response_id)
      if (!query.stream) return readResponse(run_id, context, deps)
      const { request } = await deps.chatAgent.as(context.scope).getResponse({ run_id })
      const writer = new ResponseWriter(ResponseRequest.parse(request), query.starting_after)
      return deps.runStreams.stream(run_id, context, { begun: true, framesOf: writer.framesOf.bind(writer) })
    },
  }),
  defineRoute({
    ...read,
    path: `${ONE.path}/input_items`,
    params: ONE.params,
    operation: 'listResponseInput',
    summary: 'What a response was given, newest first',
    query: ItemQuery,
    answer: ItemList,
    async handle({ params, query, context }, { chatAgent }: ProtocolDeps) {
      const { run_id, input } = await chatAgent.as(context.scope).getResponse({ run_id: runIdOf(params.response_id) })
      return pageOf(inputItems(run_id, input), query)
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: `${ONE.path}/cancel`,
    params: ONE.params,
    operation: 'cancelResponse',
    summary: 'Stop a response; what it said so far is kept. One that has ended stays as it is',
    answer: ResponseObject,
    async handle({ params, context }, deps: ProtocolDeps) {
      const { run_id } = await deps.chatAgent.as(context.scope).getResponse({ run_id: runIdOf(params.response_id) })
      await deps.chatAgent.as(context.scope).stopRun({ run_id })
      return readResponse(run_id, context, deps, { untilMs: CANCEL_MS })
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    operation: 'deleteResponse',
    summary: 'Erase a response. Those that went on from it keep the conversation that they were given',
    answer: z.object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) }),
    async handle({ params: { response_id: id }, context }, { chatAgent }: ProtocolDeps) {
      await chatAgent.as(context.scope).deleteResponse({ run_id: runIdOf(id) })
      return { id, object: 'response', deleted: true } as const
    },
  }),
]

/** A run that may not search there is not begun. */
async function requireStores(search: FileSearch | undefined, { scope }: RequestContext, { ingestion }: Deps): Promise<void> {
  await Promise.all((search?.collection_ids ?? []).map((store_id) => ingestion.as(scope).getStore({ store_id })))
}

/** Answers at once; the run goes on. */
async function begin(
  start: (run_id: string) => Promise<{ readonly run_id: string; readonly session_id: string }>,
  request: ResponseRequest,
  context: RequestContext,
  deps: ProtocolDeps,
): Promise<ResponseObject> {
  const id = newId()
  const { run_id, session_id } = await start(id)
  if (run_id === id) return begunResponse({ run_id, session_id, request }, 'queued')
  // A repeated request.
  return readResponse(run_id, context, deps)
}

/** As it is now. `untilMs`: how long a run that goes on is waited for. */
async function readResponse(
  run_id: string,
  context: RequestContext,
  { chatAgent, runStreams }: ProtocolDeps,
  { untilMs = 0 } = {},
): Promise<ResponseObject> {
  const { session_id, status, request } = await chatAgent.as(context.scope).getResponse({ run_id })
  const of = { run_id, session_id, request: ResponseRequest.parse(request) }
  const hasEnded = TERMINAL.includes(status)
  const waitMs = hasEnded ? context.deadline.longestMs : untilMs
  const whole = waitMs > 0 ? await runStreams.whole(run_id, context, waitMs) : undefined
  if (whole) return endedResponse({ ...whole.done, thoughts: whole.thoughts, searches: whole.searches }, of)
  if (hasEnded) throw new AppError('SERVICE_UNAVAILABLE', 'The response could not be read; ask again', { retryAfter: 1 })
  return begunResponse(of, status === 'pending' ? 'queued' : 'in_progress')
}
