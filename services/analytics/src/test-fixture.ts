import { chatAgent } from '@youworker/contracts/chat-agent'
import type { Event } from '@youworker/contracts/define'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { ingestion } from '@youworker/contracts/ingestion'
import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import type { z } from 'zod'
import { createAnalyticsUnitOfWork } from './unit-of-work.ts'

const logger = silentLogger()
const DAY_MS = 86_400_000

/** analytics' tables in their own database. */
export async function openTestAnalytics() {
  await using stack = new AsyncDisposableStack()
  const prepare = (adminUrl: string) => migrateSchema({ adminUrl, owner: 'analytics', password: testPassword, logger })
  const { adminUrl } = stack.use(await testDatabase({ template: 'analytics', prepare }))
  const url = roleUrl(adminUrl, 'analytics', testPassword)
  const database = stack.use(
    openDatabase<AnalyticsTables>({ url, schema: 'analytics', poolSize: 8, slowQueryMs: 60_000, logger }),
  )
  const opened = stack.move()
  return {
    url,
    uow: createAnalyticsUnitOfWork(database),
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

export function envelope<P extends z.ZodType>(event: Event<P>, data: z.input<P>, daysAgo = 0): EventEnvelope {
  const time = new Date(Date.now() - daysAgo * DAY_MS).toISOString()
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
