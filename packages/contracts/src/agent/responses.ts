import { z } from 'zod'
import { Id, Nothing, Status } from '../common.ts'
import { request } from '../define.ts'
import { LIMITS } from '../limits.ts'
import { ChatInput, MessageText, SessionRef } from './chat-input.ts'
import { FileSearch } from './file-search.ts'
import { ConversationMessage, Images, WholeConversation } from './model.ts'
import { Done, RunEntry } from './run-log.ts'

export const RunId = z.object({ run_id: Id })

/** Of a question that was spoken, which is the input's text. `digest`: of the recording, by which a repeated request is known. */
const Voice = z.object({ digest: z.string().max(64), language: z.string().max(64).optional(), confidence: z.number().optional() })

export const StartRun = ChatInput.extend({
  run_id: Id.optional(),
  voice: Voice.optional(),
  images: Images.optional(),
  plain: z.boolean().optional(),
  append_only: z.boolean().optional(),
  file_search: FileSearch.optional(),
  ...WholeConversation,
})
export const StartedRun = RunId.extend({
  session_id: Id,
  session_external_id: z.string(),
  last_entry: z.number().int().min(0).optional(),
  entries: z.array(RunEntry).optional(),
})

/** Messages before the first question of a session. */
export const Opening = z.array(z.object({ role: z.enum(['user', 'assistant']), content: MessageText })).max(20)

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
    errors: ['SESSION_NOT_FOUND', 'RUN_NOT_FOUND', 'GROUP_NOT_FOUND', 'MODEL_NOT_FOUND', 'CONFLICT'],
    maxBytes: LIMITS.wireWithImages,
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
  /**
   * What a session was given and answered, by its runs. `from`: the run to begin with; `after`: `position` of the last part of the page
   * before. At most `LIMITS.entriesPage` bytes of JSON, or one part that has more. What stands before the first run has the session's id.
   * `shows_thinking`: the run's log has what its model thought, or what it searched in named files.
   */
  listTurns: request('rpc.chat-agent.v1.turn.list', {
    input: z.object({
      session_id: SessionRef,
      order: z.enum(['asc', 'desc']),
      from: Id.optional(),
      after: z.number().int().optional(),
    }),
    output: z.object({
      session_id: Id,
      parts: z.array(
        z.object({
          position: z.number().int(),
          run_id: Id,
          input: z.array(ConversationMessage).optional(),
          answer: Done.pick({ content: true, citations: true, client_calls: true, metadata: true }).optional(),
          shows_thinking: z.literal(true).optional(),
        }),
      ),
      more: z.boolean(),
    }),
    errors: ['SESSION_NOT_FOUND', 'RUN_NOT_FOUND'],
    repeatable: true,
  }),
} as const
