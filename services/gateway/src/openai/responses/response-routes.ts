import type { Done } from '@youworker/contracts/agent/run-log'
import { defineRoute } from '../../http/define-route.ts'
import { answerRun, BODY_BYTES, failureOf, type ProtocolDeps } from '../../protocols/answer-run.ts'
import { ResponseEvent } from './response-events.ts'
import { endedResponse, ResponseObject } from './response-object.ts'
import { ResponseBody, toRunInput } from './response-request.ts'
import { ResponseWriter } from './response-writer.ts'

export const responseRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/responses',
    operation: 'createResponse',
    summary: "OpenAI's responses: `youworker` is the agent with its documents and tools, every other name a model itself",
    tag: 'openai',
    auth: 'required',
    scopes: ['chat'],
    limit: 'chat',
    csrf: 'required',
    bodyLimit: BODY_BYTES,
    body: ResponseBody,
    answer: ResponseObject,
    media: 'text/event-stream',
    events: ResponseEvent,
    errors: ['SESSION_NOT_FOUND', 'RUN_NOT_FOUND', 'CONFLICT', 'LLM_ERROR'],
    async handle({ body, context }, deps: ProtocolDeps) {
      const input = toRunInput(body)
      const start = (run_id: string) => deps.chatAgent.as(context.scope).startResponse({ ...input, run_id }, context.idempotency)
      const writer = new ResponseWriter(body)
      const protocol = {
        framesOf: writer.framesOf.bind(writer),
        bodyOf(done: Done, run_id: string) {
          if (done.metadata.status === 'error') throw failureOf(done)
          return endedResponse(done, { run_id, session_id: done.metadata.session_id, request: body })
        },
      }
      return answerRun(start, body.stream ?? false, protocol, context, deps)
    },
  }),
]
