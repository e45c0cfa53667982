import { generateKeyPairSync } from 'node:crypto'
import type { SignInClient } from '@youworker/contracts/auth'
import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { silentLogger } from '@youworker/runtime/logger'
import { newApiKey, newSecret, sha256, sha256Hex } from '@youworker/runtime/secret'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { AccountAdmin } from './services/accounts/account-admin.ts'
import { AccountService, type NewAccount } from './services/accounts/account-service.ts'
import { AUDIT, parseKeyRing } from '@youworker/database/sealing/key-ring'
import { AuditWriter } from './services/audit/audit-writer.ts'
import type { CallContext, Caller } from '@youworker/messaging/requests/context'
import { testCaller } from '@youworker/messaging/requests/test-context'
import { ApiKeyService } from './services/keys/api-key-service.ts'
import { CredentialService } from './services/tokens/credential-service.ts'
import { GrantService } from './services/tokens/grant-service.ts'
import { RevocationService } from './services/tokens/revocation-service.ts'
import { RootAccount } from './services/accounts/root-account.ts'
import { SignInService } from './services/sign-in/sign-in-service.ts'
import { createHashLimit } from './services/sign-in/hash-limit.ts'
import { Sweeper } from './services/sweeper.ts'
import { TokenSigner } from './services/tokens/token-signer.ts'
import { createAuthUnitOfWork } from './unit-of-work.ts'

const logger = silentLogger()
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** A ring with the keys of these numbers. */
export const auditRing = (...versions: number[]) =>
  parseKeyRing(versions.map((version) => `${version}:${sha256(`audit ${version}`).toString('base64url')}`).join(), AUDIT)

export const ROOT_KEY = 'root-key-of-the-tests'

/** A client of each test, unless it names another. */
export const testClient = (more: Partial<SignInClient> = {}): SignInClient => ({
  address: '192.0.2.1',
  device_sha256: sha256Hex('a device'),
  ...more,
})

/** Signs in as the gateway does: it makes the session's secret, and only hashes travel. */
export const signInAsGateway = (signIn: SignInService) => ({
  async withPassword(username: string, password: string, context: CallContext, client = testClient()) {
    const session_secret = newSecret()
    const session = await signIn.withPassword({ username, password, client, session_sha256: sha256Hex(session_secret) }, context)
    return { ...session, session_secret }
  },
  async withApiKey(apiKey: string, context: CallContext, client = testClient()) {
    const session_secret = newSecret()
    const input = { api_key_sha256: sha256Hex(apiKey), session_sha256: sha256Hex(session_secret), client }
    return { ...(await signIn.withApiKey(input, context)), session_secret }
  },
})

const accountsAsGateway = (accounts: AccountService) => ({
  get: (userId: string) => accounts.get(userId),
  lookUp: (wanted: Parameters<AccountService['lookUp']>[0]) => accounts.lookUp(wanted),
  async create(account: Omit<NewAccount, 'api_key_sha256'>, caller: Caller, context: CallContext) {
    const api_key = newApiKey()
    return { ...(await accounts.create({ ...account, api_key_sha256: sha256Hex(api_key) }, caller, context)), api_key }
  },
})

const credentialsAsGateway = (credentials: CredentialService) => ({
  exchange: (kind: 'session' | 'api_key', secret: string) => credentials.exchange(kind, sha256(secret)),
  endSession: (caller: Caller, context: CallContext) => credentials.endSession(caller, context),
})

/** auth's services on their own database, with a second connection as administrator. */
export async function openTestAuth() {
  await using stack = new AsyncDisposableStack()
  const prepare = (adminUrl: string) => migrateSchema({ adminUrl, owner: 'auth', password: testPassword, logger })
  const { adminUrl } = stack.use(await testDatabase({ template: 'auth', prepare }))
  const connect = (url: string) => openDatabase<AuthTables>({ url, schema: 'auth', poolSize: 10, slowQueryMs: 60_000, logger })
  const database = stack.use(connect(roleUrl(adminUrl, 'auth', testPassword)))
  const admin = stack.use(connect(adminUrl))
  const uow = createAuthUnitOfWork(database)
  const signer = await TokenSigner.create(privateKey)
  const hashLimit = createHashLimit({ running: 2, waiting: 64, waitMs: 60_000 })
  const apiKeys = new ApiKeyService(uow)
  const ring = auditRing(1)
  const auditWriter = new AuditWriter(uow, { ring, logger })
  const services = {
    accountAdmin: new AccountAdmin(uow),
    apiKeys,
    accounts: accountsAsGateway(new AccountService(uow, hashLimit)),
    auditWriter,
    credentials: credentialsAsGateway(new CredentialService(uow, signer, apiKeys)),
    grants: new GrantService(uow, signer),
    revocations: new RevocationService(uow),
    signIn: signInAsGateway(new SignInService(uow, hashLimit, apiKeys)),
    sweeper: new Sweeper(uow),
  }
  await new RootAccount(uow, ROOT_KEY).ensure()
  const resources = stack.move()
  return {
    ...services,
    uow,
    signer,
    /** As the service's own role. */
    db: database.kysely,
    /** As an administrator of the database. */
    admin: admin.kysely,
    async root(): Promise<Caller> {
      const { user, sid } = await services.credentials.exchange('api_key', ROOT_KEY)
      return testCaller(user.id, { sid, is_root: user.is_root })
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestAuth = Awaited<ReturnType<typeof openTestAuth>>
