import { z } from 'zod'
import { Id, Line, Metadata } from '../common.ts'
import { MessageText, SessionGroup } from './chat-input.ts'

/** What a message does while an earlier one of its session is being answered. */
export const WhenBusy = z.enum(['queue', 'interrupt', 'reject']).meta({
  description:
    '`queue`: it waits (the default). `interrupt`: the earlier answer is stopped. `reject`: it is refused with CONFLICT.',
})

export const SessionSettings = z.object({
  title: Line(200).nullish(),
  model: Line(128).nullish(),
  enable_tools: z.boolean().optional(),
  when_busy: WhenBusy.optional(),
  instructions: MessageText.nullish().meta({
    description:
      'Added to the system prompt of every answer in this session. `{{date}}`, `{{user}}`, `{{language}}` and, in a session of a group, `{{group}}` are replaced; other text in double braces stays.',
  }),
  group_id: SessionGroup.nullish(),
  metadata: Metadata.nullish(),
})
export const SessionChanges = SessionSettings.extend({
  active_branch: Id.optional().meta({ description: 'The branch to go on with, from the list of branches.' }),
})
