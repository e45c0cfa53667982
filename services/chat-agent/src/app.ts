import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Database, openDatabase, poolSettings } from '@youworker/database/connection/open'
import { keepErasing } from '@youworker/database/deletion/erase-deleted'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import { startRelay } from '@youworker/database/events/relay'
import { startWorker, type Worker } from '@youworker/database/jobs/worker'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats, natsCheck, type NatsConnection } from '@youworker/messaging/connection/connect'
import { consumeEvents, createEventPublisher } from '@youworker/messaging/events/events'
import { onUserDeleted } from '@youworker/messaging/events/user-erasure'
import { publishLive } from '@youworker/messaging/live/live'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier, type TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { onWake, wake } from '@youworker/messaging/live/wake'
import { every } from '@youworker/runtime/timing/every'
import { hasMemoryRoom } from '@youworker/runtime/process/memory-room'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Logger } from '@youworker/runtime/logger'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { Config } from './config.ts'
import { createServices } from './create-services.ts'
import { chatAgentHandlers } from './handlers/chat-agent-handlers.ts'
import { followAccess } from './consumers/access-events.ts'
import { followKnowledge } from './consumers/knowledge-events.ts'
import { sweepAnswers } from './jobs/sweep-answers.ts'
import type { BackendRegistry } from './services/models/backend-registry.ts'
import type { Grants, Groups, IsSignedIn, Waker } from './services/ports.ts'
import type { LoadedRun } from './services/runs/load-run.ts'
import { TITLE_KIND } from './services/runs/run-finisher.ts'
import { eraseExpired } from './services/sessions/session-deletion.ts'
import { RUN_KIND } from './services/turns/add-run.ts'
import { SUMMARY_KIND } from './services/summaries/summary-job.ts'

const SERVICE = 'chat-agent'
const CANCEL = 'cancel'
const MODELS = 'models'
/** One process does at most so many of one kind at the same time. */
const BACKGROUND_AT_ONCE = 4
const ORPHANS_MS = 15_000
const SWEEP_MS = 60_000

/** Composition root of the service. */
export async function startChatAgent(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase<ChatAgentTables>({ ...poolSettings(config), schema: 'chat_agent', logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: SERVICE, logger }), closeNats)
  const live = { publish: (runId: string, entry: Parameters<typeof publishLive>[2]) => publishLive(nats, runId, entry) }
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  let worker: Worker<LoadedRun> | undefined
  const ports = { live, waker: wakerOf(nats), grants: grantsOf(nats), groups: groupsOf(nats), isSignedIn: signedInBy(verifier) }
  const services = createServices(config, { database, ...ports, reserve: () => worker?.reserve(), logger })
  for (const part of [services.writer, services.pulls, followModels(nats, services.modelBackends)]) stack.use(part)
  stack.use(await keepAnswersCurrent(nats, services, logger))
  const readiness = stack.use(
    new Readiness({
      postgres: () => database.check(),
      nats: natsCheck(nats),
      keys: () => verifier.check(),
      tools: services.checkTools,
    }),
  )
  stack.use(startRelay(database, createEventPublisher(nats, { logger }), { service: SERVICE, logger }))
  const handlers = [onUserDeleted(nats, SERVICE, (userId, trace) => services.deletion.eraseUser(userId, trace))]
  stack.use(await consumeEvents(nats, { service: SERVICE, logger, handlers, deadLetter: storeDeadLetter(services.uow) }))
  worker = stack.use(
    startWorker<LoadedRun>({
      database,
      uow: services.uow,
      kind: RUN_KIND,
      concurrency: config.AGENT__CONCURRENCY,
      hasRoom: hasMemoryRoom,
      logger,
      onWake: (fn) => onWake(nats, SERVICE, RUN_KIND, fn),
      wakeOthers: () => wake(nats, SERVICE, RUN_KIND),
      run: (job, { signal, prepared }) => services.runner.run(job, signal, prepared),
      giveUp: (job, reason) => services.runner.giveUp(job, reason),
    }),
  )
  stack.use(startBackground(config, { database, services, logger }))
  stack.use(onWake(nats, SERVICE, CANCEL, () => worker.nudge()))
  stack.use(endRevoked(verifier, services, logger))
  const stop = services.runs.stop.bind(services.runs)
  stack.use(followAccess(nats, { running: services.runner.running, stop, logger }))
  stack.use(every(ORPHANS_MS, () => services.runs.endOrphaned(), { what: 'ending orphaned runs', logger }))
  // Without the model the service still serves sessions and takes messages, so the model counts for health, not for readiness.
  const more = { model: () => services.model.check(), pool: database.checkUse }
  stack.use(await serveHealth(nats, SERVICE, readiness, { logger, metricsAt, more }))
  const denied = stack.use(new SampledAudit({ uow: services.uow, event: chatAgent.auditRecorded, logger }))
  const served = { service: SERVICE, verifier, logger, onDenied: denied.record.bind(denied) }
  stack.use(await serve(nats, chatAgent, chatAgentHandlers(services), served))
  const running = stack.move()
  return { readiness, drain: () => worker.drain(), [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function keepAnswersCurrent(
  nats: NatsConnection,
  { knowledge, uow }: Pick<ReturnType<typeof createServices>, 'knowledge' | 'uow'>,
  logger: Logger,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  stack.use(knowledge)
  stack.use(await followKnowledge(nats, knowledge))
  stack.use(every(SWEEP_MS, () => sweepAnswers(uow), { what: 'the sweep of kept answers', logger }))
  return stack.move()
}

function endRevoked(verifier: TokenVerifier, { runs }: Pick<ReturnType<typeof createServices>, 'runs'>, logger: Logger) {
  const failed = (error: unknown) => logger.error({ err: error }, 'runs of an ended sign-in could not be stopped')
  return verifier.onRevoked((revocation) => void runs.revoke(revocation).catch(failed))
}

interface Background {
  readonly database: Database<ChatAgentTables>
  readonly services: Pick<ReturnType<typeof createServices>, 'uow' | 'summaries' | 'titles' | 'deletion'>
  readonly logger: Logger
}

/** Summaries, titles and erasures. Nobody waits for them: the workers look for new ones every second or two, or half a minute. */
export function startBackground(
  { AGENT__TITLES }: Pick<Config, 'AGENT__TITLES'>,
  { database, services: { uow, summaries, titles, deletion }, logger }: Background,
): AsyncDisposable {
  const stack = new AsyncDisposableStack()
  const start = (kind: string, writer: Pick<typeof summaries, 'run' | 'giveUp'>) =>
    stack.use(
      startWorker({
        database,
        uow,
        logger,
        kind,
        concurrency: BACKGROUND_AT_ONCE,
        run: (job, { signal }) => writer.run(job, signal),
        giveUp: (job) => writer.giveUp(job),
      }),
    )
  start(SUMMARY_KIND, summaries)
  if (AGENT__TITLES === 'model') start(TITLE_KIND, titles)
  const verify = deletion.verify.bind(deletion)
  stack.use(keepErasing({ uow, table: 'sessions', logger, erase: eraseExpired, verify }))
  return stack
}

function followModels(nats: NatsConnection, backends: BackendRegistry): AsyncDisposable {
  const following = backends.start()
  const wakes = onWake(nats, SERVICE, MODELS, following.nudge)
  return {
    async [Symbol.asyncDispose]() {
      wakes[Symbol.dispose]()
      await following[Symbol.asyncDispose]()
    },
  }
}

const signedInBy =
  (verifier: TokenVerifier): IsSignedIn =>
  ({ caller: { token, aud } }) =>
    verifier.verify(token, [aud]).then(
      () => true,
      () => false,
    )

const wakerOf = (nats: NatsConnection): Waker => ({
  newRun: () => wake(nats, SERVICE, RUN_KIND),
  cancelled: () => wake(nats, SERVICE, CANCEL),
  backendsChanged: () => wake(nats, SERVICE, MODELS),
})

function groupsOf(nats: NatsConnection): Groups {
  const client = createClient(nats, group)
  return { prompt: async (user_id, group_id) => (await client.getGroupPrompt({ user_id, group_id })).group ?? undefined }
}

function grantsOf(nats: NatsConnection): Grants {
  const client = createClient(nats, auth)
  return {
    create: async (run_id, context) => (await client.as(context).createGrant({ run_id })).grant_id,
    check: async (grant_id) => void (await client.checkGrant({ grant_id })),
    userName: async (grant_id) => (await client.checkGrant({ grant_id })).username,
    issueToken: async (grant_id) => (await client.issueGrantToken({ grant_id })).token,
  }
}
