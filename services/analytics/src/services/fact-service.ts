import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import type { ingestion } from '@youworker/contracts/ingestion'
import { BatchWriter } from '@youworker/database/events/batch-writer'
import type { MessageRow, ToolRunRow } from '@youworker/database/owners/analytics/tables'
import type { z } from 'zod'
import type { ChatFactRepository } from '../repositories/chat-fact-repository.ts'
import type { AnalyticsRepositories, AnalyticsUnitOfWork } from '../unit-of-work.ts'

/** Sees every space, because an event may change a row of another user, as when a member deletes a group's document. */
type FactScope = ReturnType<AnalyticsUnitOfWork['system']>

type SessionEvent = 'sessionCreated' | 'sessionSoftDeleted' | 'sessionRestored' | 'sessionDeleted'
type ChatEvent = SessionEvent | 'messageCreated' | 'runFinished' | 'answerRepeated' | 'summaryFinished' | 'toolRunFinished'
type ChatData<K extends ChatEvent> = z.output<(typeof chatAgent)[K]['payload']>
type DocumentChange = 'documentIngested' | 'documentMoved' | 'documentSoftDeleted' | 'documentRestored' | 'documentDeleted'
type DocumentEvent = 'runFinished' | DocumentChange
type DocumentData<K extends DocumentEvent> = z.output<(typeof ingestion)[K]['payload']>
type Origin = Pick<EventEnvelope, 'id' | 'time'>

/** What one event adds. */
interface Fact {
  readonly session?: Parameters<ChatFactRepository['sessionsCreated']>[0][number] | undefined
  readonly messages?: readonly MessageRow[]
  readonly toolRun?: ToolRunRow
  readonly store?: (repositories: AnalyticsRepositories) => Promise<void>
}

interface EventFact {
  readonly event_id: string
  readonly fact: Fact
}

/** Stores the facts of events: each event once, in any order, many in one transaction. */
export class FactService {
  readonly #scope: FactScope
  readonly #facts = new BatchWriter<EventFact>((facts) => this.#store(facts))

  constructor(scope: FactScope) {
    this.#scope = scope
  }

  sessionCreated({ user_id: space_id, ...session }: ChatData<'sessionCreated'>, origin: Origin): Promise<void> {
    return this.#add(origin, { session: { ...session, space_id, created_at: origin.time } })
  }

  sessionSoftDeleted({ user_id: space_id, session_id }: ChatData<'sessionSoftDeleted'>, origin: Origin): Promise<void> {
    const change = { hidden_at: origin.time }
    return this.#add(origin, { store: ({ chat }) => chat.sessionChanged({ session_id, space_id }, change) })
  }

  sessionRestored({ user_id: space_id, session_id }: ChatData<'sessionRestored'>, origin: Origin): Promise<void> {
    const change = { shown_at: origin.time }
    return this.#add(origin, { store: ({ chat }) => chat.sessionChanged({ session_id, space_id }, change) })
  }

  sessionDeleted({ user_id: space_id, session_id }: ChatData<'sessionDeleted'>, origin: Origin): Promise<void> {
    const session = { session_id, space_id, deleted_at: origin.time }
    return this.#add(origin, { store: ({ chat }) => chat.sessionDeleted(session) })
  }

  messageCreated({ user_id: space_id, ...message }: ChatData<'messageCreated'>, origin: Origin): Promise<void> {
    return this.#add(origin, { messages: [{ ...message, space_id, created_at: origin.time }] })
  }

  /** A message has the tokens of its run. Those of a run that ended without one are kept in its place. */
  async chatFinished(run: ChatData<'runFinished'>, origin: Origin): Promise<void> {
    const { run_id: message_id, session_id, user_id: space_id, answer_id, model = null, tokens_in, tokens_out } = run
    if (answer_id !== null || tokens_in + tokens_out === 0) return
    const { time: created_at } = origin
    await this.#add(origin, {
      messages: [{ message_id, session_id, space_id, role: 'none', model, tokens_in, tokens_out, created_at }],
    })
  }

  /** Nothing was used for it. */
  answerRepeated(
    { user_id: space_id, session_id, session, messages }: ChatData<'answerRepeated'>,
    origin: Origin,
  ): Promise<void> {
    const common = { session_id, space_id, created_at: origin.time }
    return this.#add(origin, {
      session: session && { ...session, ...common },
      messages: messages.map((message) => ({ ...message, ...common, tokens_in: 0, tokens_out: 0 })),
    })
  }

  /** Nobody sees a summary: it counts for its tokens, and not as a message. */
  summaryFinished(
    { summary_id: message_id, session_id, user_id: space_id, model, tokens_in, tokens_out }: ChatData<'summaryFinished'>,
    { id, time: created_at }: Origin,
  ): Promise<void> {
    const message = { message_id, session_id, space_id, role: 'none', model, tokens_in, tokens_out, created_at } as const
    return this.#add({ id, time: created_at }, { messages: [message] })
  }

  toolRunFinished({ user_id: space_id, ...toolRun }: ChatData<'toolRunFinished'>, origin: Origin): Promise<void> {
    const { session_id = null } = toolRun
    return this.#add(origin, { toolRun: { ...toolRun, session_id, space_id, finished_at: origin.time } })
  }

  runFinished({ user_id, space_id, ...run }: DocumentData<'runFinished'>, origin: Origin): Promise<void> {
    const { id: event_id, time: finished_at } = origin
    const values = { ...run, ...placeOf(user_id, space_id), finished_at, event_id }
    return this.#add(origin, { store: ({ documents }) => documents.runFinished(values) })
  }

  documentIngested(
    { user_id, space_id, document_id, bytes_size, chunks }: DocumentData<'documentIngested' | 'documentMoved'>,
    origin: Origin,
  ): Promise<void> {
    const { id: event_id, time: ingested_at } = origin
    const document = { document_id, ...placeOf(user_id, space_id), bytes_size, chunks, ingested_at, event_id }
    return this.#add(origin, { store: ({ documents }) => documents.documentIngested(document) })
  }

  documentDeleted({ user_id, document_id }: DocumentData<'documentDeleted'>, origin: Origin): Promise<void> {
    const document = { document_id, space_id: user_id, deleted_at: origin.time }
    return this.#add(origin, { store: ({ documents }) => documents.documentDeleted(document) })
  }

  documentSoftDeleted({ user_id: space_id, document_id }: DocumentData<'documentSoftDeleted'>, origin: Origin): Promise<void> {
    const change = { hidden_at: origin.time }
    return this.#add(origin, { store: ({ documents }) => documents.documentChanged({ document_id, space_id }, change) })
  }

  documentRestored({ user_id: space_id, document_id }: DocumentData<'documentRestored'>, origin: Origin): Promise<void> {
    const change = { shown_at: origin.time }
    return this.#add(origin, { store: ({ documents }) => documents.documentChanged({ document_id, space_id }, change) })
  }

  /** Deletes all facts of a deleted user; a repeat deletes what came in since. */
  eraseUser(userId: string): Promise<void> {
    return this.#scope.write(async ({ chat, documents }) => {
      await chat.forget(userId)
      await documents.forget(userId)
    })
  }

  #add({ id: event_id }: Origin, fact: Fact): Promise<void> {
    return this.#facts.add({ event_id, fact })
  }

  async #store(facts: readonly EventFact[]): Promise<void> {
    await this.#scope.write(async (repositories) => {
      const first = await repositories.inbox.firstOf(facts.map(({ event_id }) => event_id))
      const fresh = facts.filter(({ event_id }) => first.has(event_id)).map(({ fact }) => fact)
      const sessions = fresh.flatMap(({ session }) => session ?? [])
      const messages = fresh.flatMap((fact) => fact.messages ?? [])
      const toolRuns = fresh.flatMap(({ toolRun }) => toolRun ?? [])
      const others = fresh.flatMap(({ store }) => store ?? [])
      // Sent together, over one connection.
      await Promise.all([
        sessions.length > 0 && repositories.chat.sessionsCreated(sessions),
        messages.length > 0 && repositories.chat.messagesCreated(messages),
        toolRuns.length > 0 && repositories.chat.toolRunsFinished(toolRuns),
        ...others.map((store) => store(repositories)),
      ])
    })
  }
}

/** An event's `space_id` is that of the documents, here it is the user's. */
const placeOf = (user_id: string, space_id: string) => ({ space_id: user_id, group_id: space_id === user_id ? null : space_id })
