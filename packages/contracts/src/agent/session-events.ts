import { z } from 'zod'
import { Id } from '../common.ts'
import { event } from '../define.ts'

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
} as const
