import { z } from 'zod'
import { Id, Nothing, Status } from '../common.ts'
import { request } from '../define.ts'
import { ChatInput } from './chat-input.ts'
import { ConversationMessage, WholeConversation } from './model.ts'

export const RunId = z.object({ run_id: Id })

export const StartRun = ChatInput.extend({
  run_id: Id.optional(),
  plain: z.boolean().optional(),
  append_only: z.boolean().optional(),
  ...WholeConversation,
})
export const StartedRun = RunId.extend({
  session_id: Id,
  session_external_id: z.string(),
  last_entry: z.number().int().min(0).optional(),
})

/** A request as its protocol has it, without the input. */
const ResponseRequest = z.record(z.string(), z.unknown())

/** Runs that answer requests of OpenAI's responses protocol. */
export const responses = {
  /**
   * The same for a response of OpenAI's protocol. `request` is kept with the run and given back by `getResponse`; a run without one is no
   * response that can be read or gone on from. `conversation` stands behind the run `previous_run_id`, or behind the last one of the session.
   */
  startResponse: request('rpc.chat-agent.v1.response.start', {
    input: StartRun.extend({ request: ResponseRequest.optional(), previous_run_id: Id.optional() }),
    output: StartedRun,
    errors: ['SESSION_NOT_FOUND', 'RUN_NOT_FOUND', 'CONFLICT'],
  }),
  /** `input`: what the request added to the conversation. */
  getResponse: request('rpc.chat-agent.v1.response.get', {
    input: RunId,
    output: RunId.extend({
      session_id: Id,
      status: Status,
      request: ResponseRequest,
      input: z.array(ConversationMessage),
    }),
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  /** Erases the run with its messages, and with its last run a session that was made for it. */
  deleteResponse: request('rpc.chat-agent.v1.response.delete', {
    input: RunId,
    output: Nothing,
    errors: ['RUN_NOT_FOUND'],
  }),
} as const
