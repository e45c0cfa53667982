import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { CursorPage, Id, listed, Metadata, Nothing, Page, Status, Task, TaskList, Time } from './common.ts'
import { event, request } from './define.ts'
import { branches, Siblings } from './agent/branches.ts'
import { deletedFields, listErasures } from './erasures.ts'
import { LIMITS } from './limits.ts'
import { SessionRef } from './agent/chat-input.ts'
import { models } from './agent/model-backends.ts'
import { Opening, responses, RunId, StartedRun, StartRun } from './agent/responses.ts'
import { RunEntry } from './agent/run-log.ts'
import { sessionEvents } from './agent/session-events.ts'
import { SessionChanges, SessionSettings, WhenBusy } from './agent/session-settings.ts'
import { steps } from './agent/run-steps.ts'

const Count = z.number().int().min(0)

/** The messages of a branch; without one of the active branch. */
export const BranchQuery = z.object({ branch: Id.optional() })
const Include = { include: z.literal('thinking').optional().meta({ description: '`thinking`: what models thought as well.' }) }
export const SessionQuery = BranchQuery.extend(Include)
/** A page of a session's messages, which may begin behind the message `after`. */
export const MessagePage = Page.pick({ limit: true }).extend({ after: Id.optional(), ...SessionQuery.shape })

export const Session = z
  .object({
    id: Id,
    external_id: z.string(),
    title: z.string().nullable(),
    model: z.string().nullable(),
    enable_tools: z.boolean(),
    message_count: Count,
    when_busy: WhenBusy.optional(),
    instructions: z.string().optional(),
    group_id: Id.optional(),
    metadata: Metadata.optional(),
    active_branch: Id.optional().meta({ description: 'Of a session that has more than one.' }),
    created_at: Time,
    updated_at: Time,
    ...deletedFields,
  })
  .meta({ id: 'Session' })
export type Session = z.infer<typeof Session>

export const Message = z
  .object({
    id: Id,
    role: z.enum(['user', 'assistant', 'tool']),
    content: z.string(),
    tool_call_name: z.string().nullable(),
    tool_call_id: z.string().nullable(),
    tokens_in: Count,
    tokens_out: Count,
    thinking: z
      .string()
      .optional()
      .meta({ description: 'Of an answer: what its model thought before it, when it is asked for.' }),
    siblings: Siblings.optional().meta({ description: 'When the question was asked again, of it and of what answers it.' }),
    created_at: Time,
  })
  .meta({ id: 'Message' })
export type Message = z.infer<typeof Message>

export const ToolRun = z
  .object({
    id: Id,
    tool_name: z.string(),
    status: z.enum(['running', 'success', 'error', 'unknown']),
    start_ts: Time,
    end_ts: Time.nullable(),
    latency_ms: Count.nullable(),
    args: z.record(z.string(), z.unknown()),
    error_message: z.string().nullable(),
    /** At most 500 characters. */
    result_preview: z.string().nullable(),
  })
  .meta({ id: 'ToolRun' })
export type ToolRun = z.infer<typeof ToolRun>

export const ChatRun = z
  .object({
    id: Id,
    session_id: Id,
    status: Status,
    attempt: Count,
    steps: z.array(
      z.object({
        kind: z.enum(['model', 'tool']),
        name: z.string(),
        status: z.string(),
        latency_ms: Count.nullable(),
        /** What the model server said about its failure. Only root reads it. */
        said: z.string().optional(),
      }),
    ),
    /** `estimated`: the model did not count all of them. */
    usage: z.object({ tokens_in: Count, tokens_out: Count, estimated: z.boolean().optional() }),
    error: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .meta({ id: 'ChatRun' })
export type ChatRun = z.infer<typeof ChatRun>

const SessionId = z.object({ session_id: SessionRef })

export const chatAgent = {
  /**
   * Writes the user's message and the run in one transaction. The answer is written to the run's log. `run_id`: a new id that the caller
   * already listens to; `last_entry`: number of the last entry before the first attempt;
   * `entries`: of a run that ended at once, all of them, which are not sent live. `plain`: the model itself, without the agent's prompt.
   * `append_only`: entries are sent live only once they are stored, so that what a reader has seen is never taken back. `conversation`: what
   * the model is given in place of the session's messages, with the question last or results of the client's tools behind it.
   * `images` belong to the question; a conversation has its own.
   */
  startRun: request('rpc.chat-agent.v1.run.start', {
    input: StartRun,
    output: StartedRun,
    errors: ['SESSION_NOT_FOUND', 'GROUP_NOT_FOUND', 'MODEL_NOT_FOUND', 'CONFLICT'],
    maxBytes: LIMITS.wireWithImages,
  }),
  ...responses,
  ...branches,
  ...steps,
  ...models,
  getRun: request('rpc.chat-agent.v1.run.get', {
    input: RunId,
    output: ChatRun,
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  stopRun: request('rpc.chat-agent.v1.run.stop', {
    input: RunId,
    output: ChatRun,
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  /** Persisted entries with `n > after`, oldest first, at most `LIMITS.runPage` bytes or one that has more. Also the access check of a stream. */
  listEntries: request('rpc.chat-agent.v1.run.entries', {
    input: RunId.extend({ after: z.number().int().min(0).default(0) }),
    output: z.object({ entries: z.array(RunEntry), more: z.boolean(), status: Status }),
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
  /** `opening`: what was said before its first question. */
  createSession: request('rpc.chat-agent.v1.session.create', {
    input: SessionSettings.extend({ external_id: SessionRef.optional(), opening: Opening.optional() }),
    output: Session,
    errors: ['GROUP_NOT_FOUND', 'CONFLICT'],
  }),
  listSessions: request('rpc.chat-agent.v1.session.list', {
    input: CursorPage.extend({ include_deleted: z.boolean().default(false) }),
    output: z.object({ sessions: z.array(Session), ...listed }),
    repeatable: true,
  }),
  getSession: request('rpc.chat-agent.v1.session.get', {
    input: SessionId,
    output: Session,
    errors: ['SESSION_NOT_FOUND'],
    repeatable: true,
  }),
  updateSession: request('rpc.chat-agent.v1.session.update', {
    input: SessionId.extend(SessionChanges.shape),
    output: Session,
    errors: ['SESSION_NOT_FOUND', 'GROUP_NOT_FOUND', 'BRANCH_NOT_FOUND'],
  }),
  /** Nobody finds it from then on, and after some time it is erased with messages, runs and tool runs; with `purge` at once. */
  deleteSession: request('rpc.chat-agent.v1.session.delete', {
    input: SessionId.extend({ purge: z.boolean().default(false) }),
    output: Nothing,
    errors: ['SESSION_NOT_FOUND'],
  }),
  /** A session that is not deleted stays as it is. `CONFLICT`: another one has its `external_id` now. */
  restoreSession: request('rpc.chat-agent.v1.session.restore', {
    input: SessionId,
    output: Session,
    errors: ['SESSION_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  listErasures: listErasures('rpc.chat-agent.v1.erasure.list'),
  /** Oldest first, at most `LIMITS.entriesPage` bytes and perhaps fewer than `limit`; `next` is the `after` of the following page, and `branch` what they are read from. */
  listMessages: request('rpc.chat-agent.v1.message.list', {
    input: SessionId.extend({ ...MessagePage.shape, limit: MessagePage.shape.limit.optional() }),
    output: z.object({ messages: z.array(Message), next: Id.nullable(), branch: Id.optional() }),
    errors: ['SESSION_NOT_FOUND', 'BRANCH_NOT_FOUND'],
    repeatable: true,
  }),
  /** `branch`: only calls for answers of that branch of the session, with `null` of its active one. */
  listToolRuns: request('rpc.chat-agent.v1.tool-run.list', {
    input: CursorPage.extend({ session_id: SessionRef.optional(), branch: Id.nullish() }),
    output: z.object({ runs: z.array(ToolRun), ...listed }),
    errors: ['SESSION_NOT_FOUND', 'BRANCH_NOT_FOUND'],
    repeatable: true,
  }),
  listTasks: request('rpc.chat-agent.v1.task.list', { input: CursorPage, output: TaskList, repeatable: true }),
  getTask: request('rpc.chat-agent.v1.task.get', {
    input: z.object({ task_id: Id }),
    output: Task,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),
  cancelTask: request('rpc.chat-agent.v1.task.cancel', {
    input: z.object({ task_id: Id }),
    output: Task,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),

  ...sessionEvents,
  messageCreated: event(
    'events.chat-agent.v1.message.created',
    'A message was stored: questions when they are asked, an answer when its run ends. Not of `answer.repeated`.',
    z.object({
      message_id: Id,
      session_id: Id,
      user_id: Id,
      role: z.enum(['user', 'assistant']),
      model: z.string().nullable(),
      tokens_in: Count,
      tokens_out: Count,
    }),
  ),
  runStarted: event(
    'events.chat-agent.v1.run.started',
    'A question was taken; its run waits for an agent. Not of a run that ends at once with a kept answer.',
    RunId.extend({ user_id: Id, session_id: Id, grant_id: Id }),
  ),
  runFinished: event(
    'events.chat-agent.v1.run.finished',
    'A run has ended, however: also when its conversation was deleted. Not of `answer.repeated`.',
    RunId.extend({
      user_id: Id,
      session_id: Id,
      grant_id: Id,
      status: Status,
      /** The message of the answer; null when the run ended without a word. */
      answer_id: Id.nullable().optional(),
      model: z.string().nullable().optional(),
      tokens_in: Count,
      tokens_out: Count,
      duration_ms: Count,
    }),
  ),
  summaryFinished: event(
    'events.chat-agent.v1.summary.finished',
    'A model has summarised older turns of a conversation, or failed to: what that call used, which no message has.',
    z.object({
      /** The message of the summary, which only models are shown; of a call that failed, nothing has this id. */
      summary_id: Id,
      session_id: Id,
      user_id: Id,
      status: z.enum(['success', 'failed']),
      model: z.string(),
      tokens_in: Count,
      tokens_out: Count,
      /** The model did not count all of them. */
      estimated: z.boolean(),
    }),
  ),
  toolRunFinished: event(
    'events.chat-agent.v1.tool-run.finished',
    'A tool call of a run has ended and its result is stored.',
    z.object({
      tool_run_id: Id,
      user_id: Id,
      /** Missing in events of versions before it. */
      session_id: Id.optional(),
      tool_name: z.string(),
      status: z.enum(['success', 'error', 'unknown']),
      latency_ms: Count,
    }),
  ),
  auditRecorded: event(
    'events.chat-agent.v1.audit.recorded',
    'A privileged act at chat-agent was allowed or denied.',
    AuditEntry,
  ),
} as const
