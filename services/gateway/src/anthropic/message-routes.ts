import { z } from 'zod'
import { defineRoute } from '../http/define-route.ts'
import { answerRun, type ProtocolDeps } from '../protocols/answer-run.ts'
import { BODY_BYTES, imagesOfInput, requireRoom } from '../protocols/images.ts'
import type { WholeRun } from '../streams/run-streams.ts'
import { AnsweredMessage, MessageEvent, MessageWriter, toMessage } from './message-answer.ts'
import { countInput, CountBody, MessageBody, toRunInput } from './message-request.ts'

const common = {
  method: 'POST',
  tag: 'anthropic',
  auth: 'required',
  scopes: ['chat'],
  csrf: 'required',
  bodyLimit: BODY_BYTES,
} as const

export const messageRoutes = [
  defineRoute({
    ...common,
    path: '/v1/messages',
    operation: 'createMessage',
    summary: "Anthropic's messages: `youworker` is the agent with its documents and tools, every other name a model itself",
    limit: 'chat',
    body: MessageBody,
    answer: AnsweredMessage,
    media: 'text/event-stream',
    events: MessageEvent,
    errors: ['MODEL_NOT_FOUND', 'LLM_ERROR'],
    async handle({ body, context }, deps: ProtocolDeps) {
      const { model, stream } = body
      const writer = new MessageWriter(model)
      const protocol = {
        framesOf: writer.framesOf.bind(writer),
        bodyOf: ({ done }: WholeRun, run_id: string) => toMessage(done, { run_id, model }),
      }
      const input = toRunInput(body)
      requireRoom(imagesOfInput(input), context)
      const start = (run_id: string) => deps.chatAgent.as(context.scope).startRun({ ...input, run_id }, context.idempotency)
      return answerRun(start, stream ?? false, protocol, context, deps)
    },
  }),
  defineRoute({
    ...common,
    path: '/v1/messages/count_tokens',
    operation: 'countMessageTokens',
    summary: 'About how many tokens a message would take',
    limit: 'default',
    body: CountBody,
    answer: z.object({ input_tokens: z.number().int().min(0) }),
    handle: async ({ body }) => ({ input_tokens: countInput(body) }),
  }),
]
