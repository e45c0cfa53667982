import { randomBytes, randomUUID } from 'node:crypto'
import { ChatInput } from '@youworker/contracts/agent/chat-input'
import { type RunEntry, RunEntry as RunEntrySchema } from '@youworker/contracts/agent/run-log'
import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { startWorker, type Worker } from '@youworker/database/jobs/worker'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { readEnv } from '@youworker/runtime/process/config'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { Env } from './config.ts'
import { createServices } from './create-services.ts'
import type { LoadedRun } from './services/runs/load-run.ts'

/** Grants of an auth service that the test controls; the tests of the whole system use the real one. */
class TestGrants {
  revoked = false
  readonly made: string[] = []
  issued = 0

  readonly create = async (runId: string): Promise<string> => {
    this.made.push(runId)
    return randomUUID()
  }

  readonly check = async (): Promise<void> => {
    const { AppError } = await import('@youworker/contracts/errors')
    if (this.revoked) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated')
  }

  readonly issueToken = async (): Promise<string> => {
    await this.check()
    this.issued += 1
    return `token-${this.issued}`
  }
}

export interface Replica extends AsyncDisposable {
  readonly services: ReturnType<typeof createServices>
  readonly live: { runId: string; entry: RunEntry }[]
  /** Closes its database, so that it can no longer write or renew leases, as if its process had been killed. */
  die(): Promise<void>
}

export async function chatDatabase() {
  const stack = new AsyncDisposableStack()
  const { adminUrl } = stack.use(
    await testDatabase({
      template: 'chat-agent',
      prepare: (url) => migrateSchema({ adminUrl: url, owner: 'chat-agent', password: testPassword, logger: silentLogger() }),
    }),
  )
  const grants = new TestGrants()
  const base = {
    DATABASE__URL: roleUrl(adminUrl, 'chat-agent', testPassword),
    NATS__URL: 'nats://127.0.0.1:1',
    AGENT__TITLES: 'words',
    SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: randomBytes(32).toString('base64url'),
  }
  /** The service without NATS; with `worker: false` its runs stay in the queue. */
  const replica = (env: Record<string, string> = {}, { worker = true }: { worker?: boolean } = {}): Replica =>
    stack.use(startReplica({ ...base, ...env }, grants, worker))
  return { adminUrl, grants, replica, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

function startReplica(env: Record<string, string>, grants: TestGrants, hasWorker: boolean): Replica {
  const config = readEnv(Env, env)
  const logger = silentLogger()
  const live: Replica['live'] = []
  const own = new AsyncDisposableStack()
  const database = own.use(
    openDatabase<ChatAgentTables>({ url: config.DATABASE__URL, schema: 'chat_agent', poolSize: 5, slowQueryMs: 1_000, logger }),
  )
  let worker: Worker<LoadedRun> | undefined
  const nudge = () => worker?.nudge()
  const services = createServices(config, {
    database,
    live: { publish: (runId, entry) => void live.push({ runId, entry }) },
    waker: { newRun: nudge, cancelled: nudge, backendsChanged: () => {} },
    reserve: () => worker?.reserve(),
    isSignedIn: async () => !grants.revoked,
    grants,
    logger,
  })
  own.use(services.writer)
  const { runner, uow } = services
  if (hasWorker) {
    const run: WorkerOptions['run'] = (job, { signal, prepared }) => runner.run(job, signal, prepared)
    const giveUp: WorkerOptions['giveUp'] = (job, reason) => runner.giveUp(job, reason)
    worker = own.use(startWorker<LoadedRun>({ database, uow, kind: 'run', concurrency: 10, logger, run, giveUp }))
  }
  const { titles } = services
  if (hasWorker && config.AGENT__TITLES === 'model')
    own.use(
      startWorker({
        database,
        uow,
        logger,
        kind: 'title',
        concurrency: 4,
        run: (job, { signal }) => titles.run(job, signal),
        giveUp: (job) => titles.giveUp(job),
      }),
    )
  const die = async () => database[Symbol.asyncDispose]()
  return { services, live, die, [Symbol.asyncDispose]: () => own.disposeAsync() }
}

type WorkerOptions = Parameters<typeof startWorker<LoadedRun>>[0]

export const chat = (input: object): ChatInput => ChatInput.parse(input)

/** Every entry of a run, read page by page. */
export async function entriesOf({ services }: Replica, userId: string, runId: string): Promise<RunEntry[]> {
  const all: RunEntry[] = []
  for (;;) {
    const { entries, more } = await services.runs.entries(userId, runId, all.at(-1)?.n ?? 0)
    all.push(...entries)
    if (!more) return all
  }
}

export const doneOf = async (replica: Replica, userId: string, runId: string) =>
  waitFor(
    async () => {
      const found = (await entriesOf(replica, userId, runId)).flatMap(({ body }) => (body.event === 'done' ? [body.data] : []))
      if (found.length > 1) throw new Error('more than one done')
      return found[0]
    },
    { what: 'the end of the run', timeoutMs: 45_000 },
  )

/** The answer that a viewer shows after these entries. */
export function textOf(entries: readonly RunEntry[]): string {
  let text = ''
  for (const { body } of entries) {
    if (body.event === 'token') text += body.data.text
    if (body.event === 'rewind') text = text.slice(0, body.data.offset)
  }
  return text
}

/** Queries as an administrator, who sees the rows of every space. */
export async function asAdmin<T>(adminUrl: string, text: string): Promise<T[]> {
  const logger = silentLogger()
  await using database = openDatabase<ChatAgentTables>({
    url: adminUrl,
    schema: 'chat_agent',
    poolSize: 1,
    slowQueryMs: 1_000,
    logger,
  })
  return (await sql.raw<T>(text).execute(database.kysely)).rows
}

/** Starts a run as a new user and waits for its end. */
export async function ask(replica: Replica, input: object) {
  const user = randomUUID()
  const started = await replica.services.startRun.start(chat(input), testUserContext(user))
  const done = await doneOf(replica, user, started.run_id)
  const entries = await entriesOf(replica, user, started.run_id)
  return { user, ...started, done, entries }
}

/** Checks the rules that the log of every ended run obeys. */
export function expectWholeLog(entries: readonly RunEntry[], content: string): void {
  expect(entries.map(({ n }) => n)).toEqual(entries.map(({ n }) => n).toSorted((a, b) => a - b))
  const byAttempt = Map.groupBy(entries, ({ n }) => Math.floor(n / 1_000_000))
  for (const [attempt, own] of byAttempt) {
    expect(own.map(({ n }) => n % 1_000_000)).toEqual(own.map((_, index) => index + 1))
    expect(own[0]?.body.event === 'rewind').toBe(attempt > 1)
  }
  expect(entries.filter(({ body }) => body.event === 'done')).toHaveLength(1)
  expect(entries.at(-1)?.body.event).toBe('done')
  expect(textOf(entries)).toBe(content)
  for (const entry of entries) RunEntrySchema.parse(entry)
}
