import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import type { ingestion } from '@youworker/contracts/ingestion'
import type { z } from 'zod'
import type { AnalyticsRepositories, AnalyticsUnitOfWork } from '../unit-of-work.ts'

/** Sees every space, because an event may change a row of another user, as when a member deletes a group's document. */
type FactScope = ReturnType<AnalyticsUnitOfWork['system']>

type ChatData<K extends 'sessionCreated' | 'sessionDeleted' | 'messageCreated' | 'runFinished' | 'toolRunFinished'> = z.output<
  (typeof chatAgent)[K]['payload']
>
type DocumentData<K extends 'runFinished' | 'documentIngested' | 'documentDeleted'> = z.output<(typeof ingestion)[K]['payload']>
type Origin = Pick<EventEnvelope, 'id' | 'time'>

/** Stores the facts of events: each event once, in any order. */
export class FactService {
  readonly #scope: FactScope

  constructor(scope: FactScope) {
    this.#scope = scope
  }

  sessionCreated({ user_id: space_id, ...session }: ChatData<'sessionCreated'>, origin: Origin): Promise<void> {
    return this.#once(origin, ({ chat }) => chat.sessionCreated({ ...session, space_id, created_at: origin.time }))
  }

  sessionDeleted({ user_id: space_id, session_id }: ChatData<'sessionDeleted'>, origin: Origin): Promise<void> {
    return this.#once(origin, ({ chat }) => chat.sessionDeleted({ session_id, space_id, deleted_at: origin.time }))
  }

  messageCreated({ user_id: space_id, ...message }: ChatData<'messageCreated'>, origin: Origin): Promise<void> {
    return this.#once(origin, ({ chat }) => chat.messageCreated({ ...message, space_id, created_at: origin.time }))
  }

  /** A message has the tokens of its run. Those of a run that ended without one are kept in its place. */
  async chatFinished(run: ChatData<'runFinished'>, origin: Origin): Promise<void> {
    const { run_id: message_id, session_id, user_id: space_id, answer_id, model = null, tokens_in, tokens_out } = run
    if (answer_id !== null || tokens_in + tokens_out === 0) return
    const { time: created_at } = origin
    const tokens = { message_id, session_id, space_id, role: 'none', model, tokens_in, tokens_out, created_at } as const
    await this.#once(origin, ({ chat }) => chat.messageCreated(tokens))
  }

  toolRunFinished({ user_id: space_id, ...toolRun }: ChatData<'toolRunFinished'>, origin: Origin): Promise<void> {
    return this.#once(origin, ({ chat }) =>
      chat.toolRunFinished({ ...toolRun, session_id: toolRun.session_id ?? null, space_id, finished_at: origin.time }),
    )
  }

  runFinished({ user_id, space_id, ...run }: DocumentData<'runFinished'>, origin: Origin): Promise<void> {
    const { id: event_id, time: finished_at } = origin
    const values = { ...run, ...placeOf(user_id, space_id), finished_at, event_id }
    return this.#once(origin, ({ documents }) => documents.runFinished(values))
  }

  documentIngested(
    { user_id, space_id, document_id, bytes_size, chunks }: DocumentData<'documentIngested'>,
    origin: Origin,
  ): Promise<void> {
    const { id: event_id, time: ingested_at } = origin
    const document = { document_id, ...placeOf(user_id, space_id), bytes_size, chunks, ingested_at, event_id }
    return this.#once(origin, ({ documents }) => documents.documentIngested(document))
  }

  documentDeleted({ user_id, document_id }: DocumentData<'documentDeleted'>, origin: Origin): Promise<void> {
    return this.#once(origin, ({ documents }) =>
      documents.documentDeleted({ document_id, space_id: user_id, deleted_at: origin.time }),
    )
  }

  /** Deletes all facts of a deleted user; a repeat deletes what came in since. */
  eraseUser(userId: string): Promise<void> {
    return this.#scope.write(async ({ chat, documents }) => {
      await chat.forget(userId)
      await documents.forget(userId)
    })
  }

  #once({ id }: Origin, work: (repositories: AnalyticsRepositories) => Promise<void>): Promise<void> {
    return this.#scope.write(async (repositories) => {
      if (await repositories.inbox.first(id)) await work(repositories)
    })
  }
}

/** An event's `space_id` is that of the documents, here it is the user's. */
const placeOf = (user_id: string, space_id: string) => ({ space_id: user_id, group_id: space_id === user_id ? null : space_id })
