import { type auth, Password } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { AccountService } from '../services/accounts/account-service.ts'
import type { AccountAdmin } from '../services/accounts/account-admin.ts'
import type { ApiKeyService } from '../services/keys/api-key-service.ts'
import type { AuditService } from '../services/audit/audit-service.ts'
import type { ErasureService } from '../services/accounts/erasure-service.ts'
import type { CredentialService } from '../services/tokens/credential-service.ts'
import type { GrantService } from '../services/tokens/grant-service.ts'
import type { RevocationService } from '../services/tokens/revocation-service.ts'
import type { SignInService } from '../services/sign-in/sign-in-service.ts'
import type { TokenSigner } from '../services/tokens/token-signer.ts'

interface Services {
  readonly accounts: AccountService
  readonly admin: AccountAdmin
  readonly apiKeys: ApiKeyService
  readonly audit: AuditService
  readonly erasure: ErasureService
  readonly credentials: CredentialService
  readonly grants: GrantService
  readonly revocations: RevocationService
  readonly signIn: SignInService
  readonly signer: TokenSigner
}

export function authHandlers(services: Services): Handlers<typeof auth> {
  const { accounts, audit, credentials, grants, revocations, signIn, signer } = services
  return {
    ...administration(services),
    ...keys(services),
    async createSession(input, context) {
      if (input.method === 'api_key') return signIn.withApiKey(input, context)
      return signIn.withPassword({ ...input, password: await signer.decrypt(input.password_jwe) }, context)
    },
    async endSession(_input, context) {
      await credentials.endSession(context.caller, context)
      return {}
    },
    exchangeCredential: ({ kind, secret_sha256 }) => credentials.exchange(kind, Buffer.from(secret_sha256, 'hex')),
    listKeys: async () => ({ keys: signer.keys.map((key) => ({ ...key })) }),
    listRevocations: async () => ({ revocations: await revocations.list() }),
    getSelf: (_input, { caller }) => accounts.get(caller.user_id),
    async createUser({ password_jwe, ...account }, context) {
      if (password_jwe === undefined) return accounts.create(account, context.caller, context)
      const password = Password.safeParse(await signer.decrypt(password_jwe))
      if (!password.success) throw AppError.fromZod(password.error, 'The password')
      return accounts.create({ ...account, password: password.data }, context.caller, context)
    },
    describeUsers: async ({ user_ids }) => ({ users: await accounts.describe(user_ids) }),
    lookUpUsers: async (input) => ({ users: await accounts.lookUp(input) }),
    createGrant: async ({ run_id }, { caller }) => ({ grant_id: await grants.create(run_id, caller) }),
    checkGrant: async ({ grant_id }) => ({ username: await grants.check(grant_id) }),
    async issueGrantToken({ grant_id }) {
      const { token, expires_at } = await grants.issueToken(grant_id)
      return { token, token_expires_at: expires_at }
    },
    listAudit: (query, context) => audit.list(query, context),
    verifyAudit: ({ after }, context) => audit.verify(after, context),
  }
}

type AdminRequest = 'listUsers' | 'getUser' | 'updateUser' | 'signOutUser' | 'deleteUser' | 'reportErasure'
type KeyRequest = 'listApiKeys' | 'createApiKey' | 'revokeApiKey' | 'rotateApiKey' | 'finishRotation'

const administration = ({ admin, erasure }: Pick<Services, 'admin' | 'erasure'>): Pick<Handlers<typeof auth>, AdminRequest> => ({
  async deleteUser({ user_id }, context) {
    await admin.delete(user_id, context)
    return {}
  },
  async reportErasure(report) {
    await erasure.report(report)
    return {}
  },
  listUsers: (page, context) => admin.list(page, context),
  getUser: ({ user_id }, context) => admin.get(user_id, context),
  updateUser: ({ user_id, ...changes }, context) => admin.update(user_id, changes, context),
  async signOutUser({ user_id }, context) {
    await admin.signOut(user_id, context)
    return {}
  },
})

const keys = ({ apiKeys }: Pick<Services, 'apiKeys'>): Pick<Handlers<typeof auth>, KeyRequest> => ({
  listApiKeys: (page, { caller }) => apiKeys.list(page, caller),
  createApiKey: (input, context) => apiKeys.create(input, context),
  async revokeApiKey({ key_id }, context) {
    await apiKeys.revoke(key_id, context)
    return {}
  },
  rotateApiKey: ({ api_key_sha256 }, context) => apiKeys.rotate(api_key_sha256, context),
  async finishRotation({ key_id }, context) {
    await apiKeys.finishRotation({ id: key_id, user_id: context.caller.user_id }, context)
    return {}
  },
})
