import { analytics } from '@youworker/contracts/analytics'
import { group } from '@youworker/contracts/group'
import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import { startRelay } from '@youworker/database/events/relay'
import { openDatabase, poolSettings } from '@youworker/database/connection/open'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { consumeEvents, createEventPublisher, IN_BATCHES } from '@youworker/messaging/events/events'
import { onUserDeleted } from '@youworker/messaging/events/user-erasure'
import { createClient } from '@youworker/messaging/requests/client'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import { groupMembers } from './clients/group-members.ts'
import type { Config } from './config.ts'
import { analyticsConsumers } from './consumers/analytics-consumers.ts'
import { analyticsHandlers } from './handlers/analytics-handlers.ts'
import { FactService } from './services/fact-service.ts'
import { FigureAccess } from './services/figure-access.ts'
import { FigureService } from './services/figure-service.ts'
import { createAnalyticsUnitOfWork } from './unit-of-work.ts'

/** Composition root: the whole service, wired top to bottom. */
export async function startAnalytics(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase<AnalyticsTables>({ ...poolSettings(config), schema: 'analytics', logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'analytics', logger }), closeNats)

  const uow = createAnalyticsUnitOfWork(database)
  const facts = new FactService(uow.system())

  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const readiness = stack.use(
    new Readiness({ postgres: () => database.check(), nats: natsCheck(nats), keys: () => verifier.check() }),
  )
  stack.use(startRelay(database, createEventPublisher(nats, { logger }), { service: 'analytics', logger }))
  const deadLetter = storeDeadLetter(uow)
  const erasing = onUserDeleted(nats, 'analytics', (userId) => facts.eraseUser(userId))
  const handlers = [...analyticsConsumers(facts), erasing]
  stack.use(await consumeEvents(nats, { service: 'analytics', logger, handlers, deadLetter, concurrency: IN_BATCHES }))
  stack.use(await serveHealth(nats, 'analytics', readiness, { logger, metricsAt, more: { pool: database.checkUse } }))
  const audit = stack.use(new SampledAudit({ uow, event: analytics.auditRecorded, logger }))
  const access = new FigureAccess({ uow, findGroup: groupMembers(createClient(nats, group)), audit })
  const handle = analyticsHandlers(new FigureService(access))
  const onDenied = audit.record.bind(audit)
  stack.use(await serve(nats, analytics, handle, { service: 'analytics', verifier, logger, onDenied }))
  const running = stack.move()
  return { readiness, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
