import { auth } from '@youworker/contracts/auth'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { openDatabase, poolSettings } from '@youworker/database/connection/open'
import { AUDIT, parseKeyRing } from '@youworker/database/sealing/key-ring'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import { startRelay } from '@youworker/database/events/relay'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { consumeEvents, createEventPublisher, IN_BATCHES } from '@youworker/messaging/events/events'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { every } from '@youworker/runtime/timing/every'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { Config } from './config.ts'
import { authConsumers } from './consumers/auth-consumers.ts'
import { authHandlers } from './handlers/auth-handlers.ts'
import { untilDone } from '@youworker/runtime/timing/until-done'
import { AccountAdmin } from './services/accounts/account-admin.ts'
import { ErasureService } from './services/accounts/erasure-service.ts'
import { AccountService } from './services/accounts/account-service.ts'
import { AuditService } from './services/audit/audit-service.ts'
import { ApiKeyService } from './services/keys/api-key-service.ts'
import { AuditWriter } from './services/audit/audit-writer.ts'
import { CredentialService } from './services/tokens/credential-service.ts'
import { GrantService } from './services/tokens/grant-service.ts'
import { RevocationService } from './services/tokens/revocation-service.ts'
import { RootAccount } from './services/accounts/root-account.ts'
import { SignInService } from './services/sign-in/sign-in-service.ts'
import { createHashLimit } from './services/sign-in/hash-limit.ts'
import { Sweeper } from './services/sweeper.ts'
import { TokenSigner } from './services/tokens/token-signer.ts'
import { createAuthUnitOfWork } from './unit-of-work.ts'

const SWEEP_MS = 60_000
const EXPIRY_MS = 1_000
const ERASURE_MS = 5_000

/** Composition root: the whole service, wired top to bottom. */
export async function startAuth(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const signer = await TokenSigner.create(config.SECURITY__JWT_PRIVATE_KEY)
  const database = stack.use(openDatabase<AuthTables>({ ...poolSettings(config), schema: 'auth', logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'auth', logger }), closeNats)
  const uow = createAuthUnitOfWork(database)

  const hashLimit = createHashLimit({ running: 2, waiting: 64 })
  const accounts = new AccountService(uow, hashLimit)
  const ring = parseKeyRing(config.SECURITY__AUDIT_KEY, AUDIT)
  const auditWriter = new AuditWriter(uow, { ring, logger })
  const sampled = stack.use(new SampledAudit({ uow, event: auth.auditRecorded, logger }))
  const audit = new AuditService(uow, { ring, writer: auditWriter, sampled })
  const apiKeys = new ApiKeyService(uow)
  const credentials = new CredentialService(uow, signer, apiKeys)
  const grants = new GrantService(uow, signer)
  const revocations = new RevocationService(uow)
  const rootAccount = new RootAccount(uow, config.SECURITY__ROOT_API_KEY)
  const signIn = new SignInService(uow, hashLimit, apiKeys)
  const admin = new AccountAdmin(uow)
  const erasure = new ErasureService(uow)
  const services = { accounts, admin, apiKeys, audit, credentials, erasure, grants, revocations, signer, signIn }
  const handlers = authHandlers(services)

  const readiness = stack.use(
    new Readiness({
      postgres: () => database.check(),
      nats: natsCheck(nats),
      root_account: () => rootAccount.check(),
    }),
  )
  const source = {
    listKeys: async () => ({ keys: signer.keys.map((key) => ({ ...key })) }),
    listRevocations: async () => ({ revocations: await revocations.list() }),
  }
  const verifier = stack.use(await createTokenVerifier(nats, { logger, source }))
  stack.use(startRelay(database, createEventPublisher(nats, { logger }), { service: 'auth', logger }))
  const deadLetter = storeDeadLetter(uow)
  const consumers = authConsumers(auditWriter, grants)
  stack.use(await consumeEvents(nats, { service: 'auth', logger, handlers: consumers, deadLetter, concurrency: IN_BATCHES }))
  stack.use(untilDone(() => auditWriter.begin(), { what: 'beginning the audit trail', logger }))
  stack.use(untilDone(() => rootAccount.ensure(), { what: 'making the root account', logger }))
  stack.use(every(SWEEP_MS, () => new Sweeper(uow).sweep(), { what: 'the sweep of ended sessions and grants', logger }))
  stack.use(every(ERASURE_MS, () => erasure.announceDue(), { what: 'announcing deleted users', logger }))
  stack.use(every(EXPIRY_MS, () => apiKeys.endExpired(), { what: 'ending expired API keys', logger }))
  stack.use(await serveHealth(nats, 'auth', readiness, { logger, metricsAt, more: { pool: database.checkUse } }))
  stack.use(await serve(nats, auth, handlers, { service: 'auth', verifier, logger }))
  const running = stack.move()
  return { readiness, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
