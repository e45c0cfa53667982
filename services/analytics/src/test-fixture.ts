import { analytics } from '@youworker/contracts/analytics'
import { chatAgent } from '@youworker/contracts/chat-agent'
import type { Event } from '@youworker/contracts/define'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { ingestion } from '@youworker/contracts/ingestion'
import { AppError } from '@youworker/contracts/errors'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { testCaller, testUserContext } from '@youworker/messaging/requests/test-context'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import type { z } from 'zod'
import { FigureAccess, type FindGroup } from './services/figure-access.ts'
import { FigureService } from './services/figure-service.ts'
import { createAnalyticsUnitOfWork } from './unit-of-work.ts'

const logger = silentLogger()
const DAY_MS = 86_400_000

/** The context of a request by this user. */
export const as = (user_id: string): UserContext => testUserContext(user_id)
export const asRoot = (): UserContext => {
  const user_id = newId()
  return testUserContext(user_id, { caller: testCaller(user_id, { is_root: true }) })
}

export const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString()

interface TestMember {
  readonly user_id: string
  readonly joined_at: string
  readonly role: 'admin' | 'member'
}

/** The groups of a test, in place of the group service. infra/e2e runs both. */
class Groups {
  readonly #groups = new Map<string, readonly TestMember[]>()

  set(groupId: string, members: readonly TestMember[]): void {
    this.#groups.set(groupId, members)
  }

  readonly find: FindGroup = async (groupId, { caller }) => {
    const members = this.#groups.get(groupId) ?? []
    const self = members.find(({ user_id }) => user_id === caller.user_id)
    if (!self) throw new AppError('GROUP_NOT_FOUND', 'There is no such group')
    return { role: self.role, members: async () => members }
  }
}

/** analytics' tables in their own database. */
export async function openTestAnalytics() {
  await using stack = new AsyncDisposableStack()
  const prepare = (adminUrl: string) => migrateSchema({ adminUrl, owner: 'analytics', password: testPassword, logger })
  const { adminUrl } = stack.use(await testDatabase({ template: 'analytics', prepare }))
  const url = roleUrl(adminUrl, 'analytics', testPassword)
  const database = stack.use(
    openDatabase<AnalyticsTables>({ url, schema: 'analytics', poolSize: 8, slowQueryMs: 60_000, logger }),
  )
  const uow = createAnalyticsUnitOfWork(database)
  const groups = new Groups()
  const audit = stack.use(new SampledAudit({ uow, event: analytics.auditRecorded, logger }))
  const opened = stack.move()
  return {
    url,
    uow,
    groups,
    figures: new FigureService(new FigureAccess({ uow, findGroup: groups.find, audit })),
    database,
    /** What was audited, oldest first. */
    async audited(): Promise<string[]> {
      await audit[Symbol.asyncDispose]()
      const rows = await database.kysely.selectFrom('outbox').select('data').orderBy('position').execute()
      return rows.map(({ data }) => ['outcome', 'action', 'target_type', 'target_id'].map((name) => String(data[name])).join(' '))
    },
    /** All rows of the tables that events fill, in a fixed order. */
    rows: () =>
      database.transact('*', 'read', async ({ trx }) => ({
        sessions: await trx.selectFrom('sessions').selectAll().orderBy('session_id').execute(),
        messages: await trx.selectFrom('messages').selectAll().orderBy('message_id').execute(),
        tool_runs: await trx.selectFrom('tool_runs').selectAll().orderBy('tool_run_id').execute(),
        ingestion_runs: await trx.selectFrom('ingestion_runs').selectAll().orderBy('run_id').execute(),
        documents: await trx.selectFrom('documents').selectAll().orderBy('document_id').execute(),
        inbox: await trx.selectFrom('inbox').select('event_id').orderBy('event_id').execute(),
      })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

export function envelope<P extends z.ZodType>(event: Event<P>, data: z.input<P>, age = 0): EventEnvelope {
  const time = daysAgo(age)
  const parsed = event.payload.parse(data) as EventEnvelope['data']
  return {
    specversion: '1.0',
    id: newId(),
    source: 'test',
    type: event.subject,
    time,
    datacontenttype: 'application/json',
    data: parsed,
  }
}

/** Events whose result could depend on their order: deletions, a run that finishes twice, a replaced document. */
export function story(user: string, other: string): EventEnvelope[] {
  const [kept, deleted, old] = [newId(), newId(), newId()]
  const [document, gone, replaced] = [newId(), newId(), newId()]
  const run = newId()
  const session = { user_id: user, model: 'm', enable_tools: true }
  const message = (session_id: string, tokens_out: number, user_id = user) =>
    ({ message_id: newId(), session_id, user_id, role: 'assistant', model: 'm', tokens_in: 10, tokens_out }) as const
  const toolRun = { user_id: user, session_id: kept, tool_name: 'knowledge_search', latency_ms: 100 }
  const finished = { run_id: run, user_id: user, space_id: user, chunks: 1, total_bytes: 10, duration_ms: 5 }
  const ingested = { user_id: user, space_id: user, bytes_size: 10, chunks: 1, replaced: false }
  return [
    envelope(chatAgent.sessionCreated, { ...session, session_id: old }, 40),
    envelope(chatAgent.messageCreated, message(old, 1_000), 40),
    envelope(chatAgent.sessionCreated, { ...session, session_id: kept }, 2),
    envelope(chatAgent.messageCreated, message(kept, 20), 2),
    envelope(chatAgent.messageCreated, message(kept, 30), 2),
    envelope(chatAgent.messageCreated, message(old, 40), 1),
    envelope(chatAgent.sessionCreated, { ...session, session_id: deleted }, 1),
    envelope(chatAgent.messageCreated, message(deleted, 5_000), 1),
    envelope(chatAgent.sessionDeleted, { session_id: deleted, user_id: user }),
    envelope(chatAgent.toolRunFinished, { ...toolRun, tool_run_id: newId(), status: 'success' }),
    envelope(chatAgent.toolRunFinished, { ...toolRun, tool_run_id: newId(), status: 'success', latency_ms: 101 }),
    envelope(chatAgent.toolRunFinished, { ...toolRun, tool_run_id: newId(), status: 'error' }),
    envelope(ingestion.runFinished, { ...finished, status: 'partial', files: 1 }, 2),
    envelope(ingestion.runFinished, { ...finished, status: 'success', files: 2 }, 1),
    envelope(ingestion.documentIngested, { ...ingested, document_id: document }, 60),
    envelope(ingestion.documentIngested, { ...ingested, document_id: replaced }, 3),
    envelope(ingestion.documentIngested, { ...ingested, document_id: replaced, bytes_size: 99, replaced: true }, 2),
    envelope(ingestion.documentIngested, { ...ingested, document_id: gone }, 2),
    envelope(ingestion.documentDeleted, { document_id: gone, user_id: other, space_id: newId() }, 1),
    envelope(chatAgent.sessionCreated, { ...session, user_id: other, session_id: newId() }),
    envelope(chatAgent.messageCreated, message(newId(), 7, other)),
  ]
}

interface Cast {
  /** Admin, 10 days ago. */
  readonly user: string
  /** Joined between 3 and 4 days ago. */
  readonly other: string
  /** Has left. */
  readonly former: string
  readonly group: string
}

export const membersOf = ({ user, other }: Cast): TestMember[] => [
  { user_id: user, joined_at: daysAgo(10.5), role: 'admin' },
  { user_id: other, joined_at: daysAgo(3.5), role: 'member' },
]

/** What the members of a group did before and after they joined, what a former one did, and the group's documents, whoever brought them. */
export function groupStory({ user, other, former, group }: Cast): EventEnvelope[] {
  const chat = (user_id: string, age: number) => {
    const session_id = newId()
    const message = {
      message_id: newId(),
      session_id,
      user_id,
      role: 'assistant',
      model: 'g',
      tokens_in: age,
      tokens_out: 100,
    } as const
    const toolRun = { tool_run_id: newId(), user_id, session_id, tool_name: 'clock', status: 'success', latency_ms: age } as const
    return [
      envelope(chatAgent.sessionCreated, { session_id, user_id, model: 'g', enable_tools: false }, age),
      envelope(chatAgent.messageCreated, message, age),
      envelope(chatAgent.toolRunFinished, toolRun, age),
    ]
  }
  const document = (user_id: string, age: number, document_id = newId(), space_id = group) => {
    const sizes = { bytes_size: 10, chunks: 1, replaced: false }
    return envelope(ingestion.documentIngested, { document_id, user_id, space_id, ...sizes }, age)
  }
  const run = (user_id: string, age: number, space_id = group) => {
    const sizes = { files: 1, chunks: 1, total_bytes: 10, duration_ms: 5 }
    return envelope(ingestion.runFinished, { run_id: newId(), user_id, space_id, status: 'success', ...sizes }, age)
  }
  const [replaced, gone, elsewhere] = [newId(), newId(), newId()]
  return [
    ...[20, 9, 1].flatMap((age) => chat(user, age)),
    ...[9, 4, 3, 1].flatMap((age) => chat(other, age)),
    ...[9, 1].flatMap((age) => chat(former, age)),
    document(former, 6),
    document(other, 20),
    document(user, 5, replaced),
    document(other, 2, replaced),
    document(user, 2, gone),
    envelope(ingestion.documentDeleted, { document_id: gone, user_id: former, space_id: group }, 1),
    document(user, 2, newId(), elsewhere),
    document(former, 2, newId(), former),
    run(former, 6),
    run(other, 1),
    run(other, 5),
    run(user, 1, elsewhere),
    run(other, 1, other),
  ]
}
