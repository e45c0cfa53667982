import { branches, Retry } from '@youworker/contracts/agent/branches'
import { SessionRef } from '@youworker/contracts/agent/chat-input'
import { RunEntryBody } from '@youworker/contracts/agent/run-log'
import { Id, Page } from '@youworker/contracts/common'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'
import { answerStart, type ChatDeps, streamStart } from './answer-chat.ts'
import { ChatAnswer, RunAccepted, Text } from './chat-bodies.ts'

const SessionPath = z.object({ session_id: SessionRef })
const RetryBody = Retry.extend({
  content: Text.refine((text) => text.trim() !== '', 'must not be blank')
    .nullish()
    .meta(Retry.shape.content.meta() ?? {}),
  stream: z.boolean().default(true),
}).meta({ id: 'RetryBody' })

export const branchRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/sessions/{session_id}/messages/{message_id}/retry',
    tag: 'sessions',
    operation: 'retryMessage',
    summary:
      'Have a message answered anew, in a branch of its own that becomes the active one: a question, the question of an answer, or with `content` another question in its place. It answers as a chat does',
    auth: 'required',
    scopes: ['chat'],
    csrf: 'required',
    limit: 'chat',
    params: SessionPath.extend({ message_id: Id }),
    body: RetryBody,
    answer: ChatAnswer,
    accepted: RunAccepted,
    media: 'text/event-stream',
    events: RunEntryBody,
    errors: [...branches.retryMessage.errors, 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
    async handle({ params, body: { stream, expect_audio, ...retry }, context }, deps: ChatDeps) {
      const client = deps.chatAgent.as(context.scope)
      const start = (run_id: string) => client.retryMessage({ ...params, ...retry, run_id }, context.idempotency)
      const asked = { start, isSpoken: expect_audio === true }
      return stream ? streamStart(asked, context, deps) : answerStart(asked, context, deps)
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/sessions/{session_id}/branches',
    tag: 'sessions',
    operation: 'listBranches',
    summary: 'The branches of a session, newest first; PATCH the session with `active_branch` to go on with another one',
    auth: 'required',
    scopes: ['chat'],
    csrf: 'none',
    limit: 'default',
    params: SessionPath,
    query: Page,
    answer: branches.listBranches.output,
    errors: branches.listBranches.errors,
    handle: ({ params, query, context }, { chatAgent }: Pick<Clients, 'chatAgent'>) =>
      chatAgent.as(context.scope).listBranches({ ...params, ...query }),
  }),
]
