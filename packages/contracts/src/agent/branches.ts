import { z } from 'zod'
import { Id, Page, Time } from '../common.ts'
import { request } from '../define.ts'
import { ChatInput, MessageText, SessionRef } from './chat-input.ts'
import { StartedRun } from './responses.ts'

const Count = z.number().int().min(0)

/** Where a message stands among those that were asked in the same place. */
export const Siblings = z
  .object({
    index: z.number().int().min(1).meta({ description: 'From 1, in the order in which they were asked.' }),
    count: z.number().int().min(2),
    previous: Id.nullable().meta({ description: 'The branch with the one before it.' }),
    next: Id.nullable().meta({ description: 'The branch with the one behind it.' }),
  })
  .meta({ id: 'Siblings' })
export type Siblings = z.infer<typeof Siblings>

const Branch = z
  .object({
    id: Id.meta({ description: "Of the run that began it; the session's for the branch that every session has." }),
    active: z.boolean().meta({ description: 'It is what the model sees, and what the next message goes on from.' }),
    parent_id: Id.nullable().meta({ description: 'The branch that it left.' }),
    after_message_id: Id.nullable().meta({ description: 'The last message that it has in common with that one.' }),
    question: z.string().nullable().meta({ description: 'The beginning of its first question.' }),
    answer: z.string().nullable().meta({ description: 'The beginning of the answer to that.' }),
    turns: Count.meta({ description: 'Questions of its own, behind those that it shares.' }),
    created_at: Time,
  })
  .meta({ id: 'Branch' })
export type Branch = z.infer<typeof Branch>

/** What is asked again, and how. What is left out is as it was the first time, but the model is the session's. */
export const Retry = ChatInput.pick({
  model: true,
  max_iterations: true,
  instructions: true,
  language: true,
  parameters: true,
  strategy: true,
  show_thinking: true,
}).extend({
  content: MessageText.nullish().meta({ description: 'The question instead of that one; only for a message of the user.' }),
  enable_tools: z.boolean().nullish(),
  disable_web: z.boolean().nullish(),
  expect_audio: z.boolean().nullish(),
})

/** A session begins with one branch. Each retry of a message begins another one in its place, which goes on from there. */
export const branches = {
  /** Asks a question of the session again: the message itself, or the one that it answers. The new branch becomes the active one. */
  retryMessage: request('rpc.chat-agent.v1.message.retry', {
    input: Retry.extend({ session_id: SessionRef, message_id: Id, run_id: Id.optional() }),
    output: StartedRun,
    errors: ['SESSION_NOT_FOUND', 'MESSAGE_NOT_FOUND', 'MODEL_NOT_FOUND', 'CONFLICT'],
  }),
  /** Newest first; the branch that every session has is the last one. */
  listBranches: request('rpc.chat-agent.v1.branch.list', {
    input: Page.extend({ session_id: SessionRef }),
    output: z.object({ branches: z.array(Branch), total: Count }),
    errors: ['SESSION_NOT_FOUND'],
    repeatable: true,
  }),
} as const
