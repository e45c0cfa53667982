import { z } from 'zod'
import { Id } from '../common.ts'
import { event } from '../define.ts'
import { RunId } from './responses.ts'

export const sessionEvents = {
  sessionCreated: event(
    'events.chat-agent.v1.session.created',
    'A conversation was opened, by itself or by its first question.',
    z.object({ session_id: Id, user_id: Id, model: z.string().nullable(), enable_tools: z.boolean() }),
  ),
  sessionSoftDeleted: event(
    'events.chat-agent.v1.session.soft-deleted',
    'A conversation cannot be found any more. Until it is erased, which `session.deleted` tells, it can be restored.',
    z.object({ session_id: Id, user_id: Id }),
  ),
  sessionRestored: event(
    'events.chat-agent.v1.session.restored',
    'A conversation that was deleted is there again.',
    z.object({ session_id: Id, user_id: Id }),
  ),
  sessionDeleted: event(
    'events.chat-agent.v1.session.deleted',
    'A conversation was erased with everything in it.',
    z.object({ session_id: Id, user_id: Id }),
  ),
  answerRepeated: event(
    'events.chat-agent.v1.answer.repeated',
    'A question was answered at once with a kept answer: its run has begun and ended, and its messages are stored. No other event tells that.',
    RunId.extend({
      user_id: Id,
      session_id: Id,
      /** Of a conversation that it opened, of which `session.created` tells nothing then. */
      session: z.object({ model: z.string().nullable(), enable_tools: z.boolean() }).optional(),
      messages: z.array(z.object({ message_id: Id, role: z.enum(['user', 'assistant']), model: z.string().nullable() })),
    }),
  ),
} as const
