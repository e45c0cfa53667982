import { auth } from '@youworker/contracts/auth'
import { group } from '@youworker/contracts/group'
import type { GroupTables } from '@youworker/database/owners/group/tables'
import { openDatabase, poolSettings } from '@youworker/database/connection/open'
import { keepErasing } from '@youworker/database/deletion/erase-deleted'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import { startRelay } from '@youworker/database/events/relay'
import { parseKeyRing } from '@youworker/database/sealing/key-ring'
import { createSealer } from '@youworker/database/sealing/sealer'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { consumeEvents, createEventPublisher } from '@youworker/messaging/events/events'
import { onUserDeleted } from '@youworker/messaging/events/user-erasure'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import { authDirectory } from './clients/auth-directory.ts'
import type { Config } from './config.ts'
import { groupHandlers } from './handlers/group-handlers.ts'
import { ErasureService } from './services/erasure-service.ts'
import { eraseExpired, GroupDeletion } from './services/group-deletion.ts'
import { GroupInstructions } from './services/group-instructions.ts'
import { GroupPolicies } from './services/group-policies.ts'
import { GroupService } from './services/group-service.ts'
import { MemberService } from './services/member-service.ts'
import { OwnGroups } from './services/own-groups.ts'
import { createGroupUnitOfWork } from './unit-of-work.ts'

/** Composition root: the whole service, wired top to bottom. */
export async function startGroup(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase<GroupTables>({ ...poolSettings(config), schema: 'group', logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'group', logger }), closeNats)

  const uow = createGroupUnitOfWork(database)
  const own = new OwnGroups(uow)
  const users = authDirectory(createClient(nats, auth))
  const ring = parseKeyRing(config.SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET)
  const instructions = new GroupInstructions(createSealer(database, ring))
  const groups = new GroupService({ uow, users, own, instructions })
  const members = new MemberService(uow, users, own)
  const deletion = new GroupDeletion({ uow, groups, own, instructions, keepDays: config.DATA__KEEP_DELETED_DAYS })

  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const readiness = stack.use(
    new Readiness({ postgres: () => database.check(), nats: natsCheck(nats), keys: () => verifier.check() }),
  )
  stack.use(startRelay(database, createEventPublisher(nats, { logger }), { service: 'group', logger }))
  const erasure = new ErasureService(uow, own, instructions)
  const erasing = onUserDeleted(nats, 'group', (userId, trace) => erasure.eraseUser(userId, trace))
  stack.use(await consumeEvents(nats, { service: 'group', logger, handlers: [erasing], deadLetter: storeDeadLetter(uow) }))
  const verify = deletion.verify.bind(deletion)
  stack.use(keepErasing({ uow, table: 'groups', logger, erase: eraseExpired, verify }))
  stack.use(await serveHealth(nats, 'group', readiness, { logger, metricsAt, more: { pool: database.checkUse } }))
  const denied = stack.use(new SampledAudit({ uow, event: group.auditRecorded, logger }))
  const onDenied = denied.record.bind(denied)
  stack.use(
    await serve(nats, group, groupHandlers({ groups, members, deletion, policies: new GroupPolicies(uow) }), {
      service: 'group',
      verifier,
      logger,
      onDenied,
    }),
  )
  const running = stack.move()
  return { readiness, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
