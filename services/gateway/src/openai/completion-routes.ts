import { z } from 'zod'
import { defineRoute } from '../http/define-route.ts'
import { answerRun, type ProtocolDeps } from '../protocols/answer-run.ts'
import { BODY_BYTES, imagesOfInput, requireRoom } from '../protocols/images.ts'
import type { WholeRun } from '../streams/run-streams.ts'
import { ChunkWriter, Completion, CompletionChunk, toCompletion } from './completion-answer.ts'
import { CompletionBody, toRunInput } from './completion-request.ts'

export const completionRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/chat/completions',
    operation: 'createChatCompletion',
    summary: "OpenAI's chat completions: `youworker` is the agent with its documents and tools, every other name a model itself",
    tag: 'openai',
    auth: 'required',
    scopes: ['chat'],
    limit: 'chat',
    csrf: 'required',
    bodyLimit: BODY_BYTES,
    body: CompletionBody,
    answer: Completion,
    media: 'text/event-stream',
    events: z.discriminatedUnion('event', [z.object({ event: z.literal('message'), data: CompletionChunk })]),
    errors: ['SESSION_NOT_FOUND', 'MODEL_NOT_FOUND', 'CONFLICT', 'LLM_ERROR'],
    async handle({ body, context }, deps: ProtocolDeps) {
      const { model, stream, stream_options } = body
      const options = { model, correlationId: context.correlationId, includeUsage: stream_options?.include_usage ?? false }
      const chunks = new ChunkWriter(options)
      const protocol = {
        framesOf: chunks.framesOf.bind(chunks),
        bodyOf: ({ done }: WholeRun, run_id: string) => toCompletion(done, { run_id, model }),
      }
      const input = toRunInput(body)
      requireRoom(imagesOfInput(input), context)
      const start = (run_id: string) => deps.chatAgent.as(context.scope).startRun({ ...input, run_id }, context.idempotency)
      return answerRun(start, stream ?? false, protocol, context, deps)
    },
  }),
]
