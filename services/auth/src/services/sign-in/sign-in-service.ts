import { auth, type SignInClient, type User } from '@youworker/contracts/auth'
import type { HandlerInput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { CallContext } from '@youworker/messaging/requests/context'
import { clientHashes, type Familiarity, keyBuckets, passwordBuckets } from './failure-buckets.ts'
import { verifyPassword } from './password.ts'
import { revoke } from '../tokens/revocation-service.ts'
import type { FailureBucket } from '../../repositories/sign-in-failure-repository.ts'
import type { HashLimit } from './hash-limit.ts'
import { requireActive, toUser } from '../accounts/user.ts'
import type { ApiKeyService } from '../keys/api-key-service.ts'
import { useKey } from '../keys/use-key.ts'
import { usernameKey } from './username-key.ts'

/** Wrong keys of one address that the audit trail records, until none has come for an hour. */
const AUDITED_KEYS = 20

export interface NewSession {
  readonly user: User
  readonly session_id: string
  /** When the session ends even if it is used. */
  readonly expires_at: string
}

type SignIn = HandlerInput<typeof auth.createSession>
type PasswordSignIn = Omit<Extract<SignIn, { method: 'password' }>, 'method' | 'password_jwe'> & { readonly password: string }
type KeySignIn = Omit<Extract<SignIn, { method: 'api_key' }>, 'method'>

export class SignInService {
  readonly #uow: AuthUnitOfWork
  readonly #hashLimit: HashLimit
  readonly #keys: Pick<ApiKeyService, 'finishRotation'>

  constructor(uow: AuthUnitOfWork, hashLimit: HashLimit, keys: Pick<ApiKeyService, 'finishRotation'>) {
    this.#uow = uow
    this.#hashLimit = hashLimit
    this.#keys = keys
  }

  async withPassword(signIn: PasswordSignIn, context: CallContext): Promise<NewSession> {
    // No user has the empty key.
    const key = usernameKey(signIn.username) ?? ''
    const familiarity = await this.#familiarity(key, signIn.client)
    const buckets = passwordBuckets(key || signIn.username, signIn.client, familiarity)
    // Refused at once, so that a flood of guesses takes no turns.
    await this.#uow.in(NO_SPACES).read((repos) => refuseWhileBlocked(repos, buckets))
    const isKnown = familiarity !== 'unknown'
    const caller = isKnown ? key : signIn.client.address
    return this.#hashLimit(() => this.#verify(signIn, key, buckets, context), { caller, isKnown, signal: context.signal })
  }

  /** A right key is never refused: nobody guesses one, so there is nothing to slow down. */
  async withApiKey({ api_key_sha256, ...signIn }: KeySignIn, context: CallContext): Promise<NewSession> {
    const keyHash = Buffer.from(api_key_sha256, 'hex')
    const opening = this.#uow.in(NO_SPACES).write(async (repos) => {
      const { key, user } = await useKey(repos, keyHash)
      return { key, session: await createSession(repos, { user, apiKeyId: key.id, ...signIn }, context) }
    })
    const { key, session } = await opening.catch(async (error: unknown) => {
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') await this.#recordWrongKey(signIn.client, context)
      throw error
    })
    if (key.replaces !== null) await this.#keys.finishRotation(key)
    return session
  }

  async #recordWrongKey(client: SignInClient, context: CallContext): Promise<void> {
    const buckets = keyBuckets(client)
    await this.#uow.in(NO_SPACES).write(async (repos) => {
      await refuseWhileBlocked(repos, buckets)
      if ((await repos.failures.add(buckets)) <= AUDITED_KEYS)
        recordAudit(repos.outbox, auth.auditRecorded, failedSignIn('api_key', null), context)
    })
  }

  async #familiarity(key: string, client: SignInClient): Promise<Familiarity> {
    const known = await this.#uow.in(NO_SPACES).read(({ knownClients }) => knownClients.knownBy(key, clientHashes(client)))
    return known.includes('device') ? 'device' : known.includes('address') ? 'address' : 'unknown'
  }

  /** Checks again whether it is blocked: a burst of guesses exceeds the bounds only by what runs at once on all replicas. */
  async #verify(signIn: PasswordSignIn, key: string, buckets: Buckets, context: CallContext): Promise<NewSession> {
    const user = await this.#uow.in(NO_SPACES).read(async (repos) => {
      await refuseWhileBlocked(repos, buckets)
      return repos.users.byKey(key)
    })
    const matches = await verifyPassword(user?.password_hash ?? null, signIn.password)
    const session = await this.#uow.in(NO_SPACES).write(async (repos) => {
      if (user && matches) {
        requireActive(user)
        await repos.failures.clear(buckets[0])
        return createSession(repos, { user, apiKeyId: null, ...signIn }, context)
      }
      await repos.failures.add(buckets)
      recordAudit(repos.outbox, auth.auditRecorded, failedSignIn('user', user?.id ?? null), context)
      return undefined
    })
    if (!session) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: wrong username or password.')
    return session
  }
}

type Buckets = readonly [FailureBucket, ...FailureBucket[]]

async function refuseWhileBlocked({ failures }: Pick<AuthRepositories, 'failures'>, buckets: Buckets): Promise<void> {
  const retryAfter = await failures.blockedFor(buckets)
  if (retryAfter === 0) return
  const wait = retryAfter < 120 ? `${retryAfter} s` : `${Math.ceil(retryAfter / 60)} min`
  const otherwise = 'sign in on a device where you signed in before, or with an API key'
  throw new AppError('RATE_LIMIT_EXCEEDED', `Too many failed sign-ins. Try again in ${wait}, or ${otherwise}.`, { retryAfter })
}

const failedSignIn = (targetType: string, targetId: string | null) =>
  ({ actor_id: null, action: 'session.create', outcome: 'denied', target_type: targetType, target_id: targetId }) as const

async function createSession(
  repos: AuthRepositories,
  { user, apiKeyId, session_sha256, client }: { user: User; apiKeyId: string | null } & Pick<SignIn, 'session_sha256' | 'client'>,
  context: CallContext,
): Promise<NewSession> {
  if (client.old_session_sha256 !== undefined) await endOldSession(repos, client.old_session_sha256, context)
  await repos.knownClients.remember(user.id, clientHashes(client))
  const id = newId()
  const { ends_at } = await repos.sessions.add({
    id,
    user_id: user.id,
    secret_hash: Buffer.from(session_sha256, 'hex'),
    api_key_id: apiKeyId,
  })
  const target = { target_type: 'session', target_id: id }
  recordAudit(
    repos.outbox,
    auth.auditRecorded,
    { actor_id: user.id, action: 'session.create', outcome: 'allowed', ...target },
    context,
  )
  return { user: toUser(user), session_id: id, expires_at: ends_at }
}

/** The browser forgets its old session, so nobody else could end it. */
async function endOldSession(repos: AuthRepositories, sessionSha256: string, context: CallContext): Promise<void> {
  const ended = await repos.sessions.removeOfSecret(Buffer.from(sessionSha256, 'hex'))
  if (!ended) return
  await revoke(repos, ended.id, context)
  const target = { target_type: 'session', target_id: ended.id }
  recordAudit(
    repos.outbox,
    auth.auditRecorded,
    { actor_id: ended.user_id, action: 'session.end', outcome: 'allowed', ...target },
    context,
  )
}
