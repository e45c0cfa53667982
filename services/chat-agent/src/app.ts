import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Database, openDatabase, poolSettings } from '@youworker/database/connection/open'
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
import { followKnowledge } from './consumers/knowledge-events.ts'
import { sweepAnswers } from './jobs/sweep-answers.ts'
import type { BackendRegistry } from './services/models/backend-registry.ts'
import type { Grants, IsSignedIn, Waker } from './services/ports.ts'
import type { LoadedRun } from './services/runs/load-run.ts'
import { TITLE_KIND } from './services/runs/run-finisher.ts'
import { RUN_KIND } from './services/runs/start-run.ts'

const SERVICE = 'chat-agent'
const CANCEL = 'cancel'
const MODELS = 'models'
/** One process writes at most so many at the same time. */
const TITLES_AT_ONCE = 4
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
  const ports = { live, waker: wakerOf(nats), grants: grantsOf(nats), isSignedIn: signedInBy(verifier) }
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
  const handlers = [onUserDeleted(nats, SERVICE, (userId, trace) => services.sessions.eraseUser(userId, trace))]
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
  if (config.AGENT__TITLES === 'model') stack.use(startTitles(database, services, logger))
  stack.use(onWake(nats, SERVICE, CANCEL, () => worker.nudge()))
  const failed = (error: unknown) => logger.error({ err: error }, 'runs of an ended sign-in could not be stopped')
  stack.use(verifier.onRevoked((revocation) => void services.runs.revoke(revocation).catch(failed)))
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

/** Nobody waits for them: the worker looks for new ones every second or two. */
const startTitles = (
  database: Database<ChatAgentTables>,
  { uow, titles }: Pick<ReturnType<typeof createServices>, 'uow' | 'titles'>,
  logger: Logger,
) =>
  startWorker({
    database,
    uow,
    logger,
    kind: TITLE_KIND,
    concurrency: TITLES_AT_ONCE,
    run: (job, { signal }) => titles.run(job, signal),
    giveUp: (job) => titles.giveUp(job),
  })

function followModels(nats: NatsConnection, backends: BackendRegistry): AsyncDisposable {
  const following = backends.start()
  const heard = onWake(nats, SERVICE, MODELS, following.nudge)
  return {
    async [Symbol.asyncDispose]() {
      heard[Symbol.dispose]()
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

function grantsOf(nats: NatsConnection): Grants {
  const client = createClient(nats, auth)
  return {
    create: async (run_id, context) => (await client.as(context).createGrant({ run_id })).grant_id,
    check: async (grant_id) => void (await client.checkGrant({ grant_id })),
    issueToken: async (grant_id) => (await client.issueGrantToken({ grant_id })).token,
  }
}
