import { analytics } from '@youworker/contracts/analytics'
import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import { openDatabase, poolSettings } from '@youworker/database/connection/open'
import { sweep } from '@youworker/database/events/sweep'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { consumeEvents } from '@youworker/messaging/events/events'
import { onUserDeleted } from '@youworker/messaging/events/user-erasure'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { every } from '@youworker/runtime/timing/every'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { Config } from './config.ts'
import { analyticsConsumers } from './consumers/analytics-consumers.ts'
import { analyticsHandlers } from './handlers/analytics-handlers.ts'
import { FactService } from './services/fact-service.ts'
import { FigureService } from './services/figure-service.ts'
import { createAnalyticsUnitOfWork } from './unit-of-work.ts'

const SWEEP_MS = 600_000

/** Composition root: the whole service, wired top to bottom. */
export async function startAnalytics(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase<AnalyticsTables>({ ...poolSettings(config), schema: 'analytics', logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'analytics', logger }), closeNats)

  const uow = createAnalyticsUnitOfWork(database)
  const facts = new FactService(uow.system())
  const figures = new FigureService(uow)

  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const readiness = stack.use(
    new Readiness({ postgres: () => database.check(), nats: natsCheck(nats), keys: () => verifier.check() }),
  )
  // Elsewhere the relay sweeps; this service publishes nothing and has no relay.
  stack.use(every(SWEEP_MS, () => sweep(database), { what: 'the sweep of old rows', logger }))
  const deadLetter = storeDeadLetter(uow)
  const erasing = onUserDeleted(nats, 'analytics', (userId) => facts.eraseUser(userId))
  const handlers = [...analyticsConsumers(facts), erasing]
  stack.use(await consumeEvents(nats, { service: 'analytics', logger, handlers, deadLetter }))
  stack.use(await serveHealth(nats, 'analytics', readiness, { logger, metricsAt, more: { pool: database.checkUse } }))
  stack.use(await serve(nats, analytics, analyticsHandlers(figures), { service: 'analytics', verifier, logger }))
  const running = stack.move()
  return { readiness, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
