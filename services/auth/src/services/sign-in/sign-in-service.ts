import { auth, type User } from '@youworker/contracts/auth'
import type { HandlerInput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { CallContext } from '@youworker/messaging/requests/context'
import { verifyPassword } from './password.ts'
import { sha256 } from '@youworker/runtime/secret'
import type { HashLimit } from './hash-limit.ts'
import { requireActive, toUser } from '../accounts/user.ts'
import type { ApiKeyService } from '../keys/api-key-service.ts'
import { useKey } from '../keys/use-key.ts'
import { usernameKey } from './username-key.ts'

/**
 * Limits of failed sign-ins within 15 minutes: by password for one name, by password for all names, and by API key for the
 * audit trail (later ones are not audited).
 */
const FAILURES = { name: 10, passwords: 1_000, auditedKeys: 100 } as const
const ALL_PASSWORDS = sha256('all passwords')
const ALL_KEYS = sha256('all keys')

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

  /**
   * Failures are checked inside the hash limit, so that a burst of guesses can exceed FAILURES only by those that run at once.
   */
  withPassword({ username, password, session_sha256 }: PasswordSignIn, context: CallContext): Promise<NewSession> {
    return this.#hashLimit(async () => {
      const key = usernameKey(username)
      // Hashed, because people sometimes type a password into this field.
      const bucket = sha256(`name ${key ?? username}`)
      const user = await this.#uow.in(NO_SPACES).read(async ({ users, failures }) => {
        refuseAfterTooMany(bucket, await failures.count([bucket, ALL_PASSWORDS]))
        return key === undefined ? undefined : users.byKey(key)
      })
      const matches = await verifyPassword(user?.password_hash ?? null, password)
      if (!user || !matches) {
        await this.#recordWrongPassword(bucket, user?.id ?? null, context)
        throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: wrong username or password.')
      }
      requireActive(user)
      return this.#uow.in(NO_SPACES).write(async (repos) => {
        await repos.failures.clear(bucket)
        return createSession(repos, { user, apiKeyId: null, session_sha256 }, context)
      })
    }, context.signal)
  }

  async withApiKey({ api_key_sha256, session_sha256 }: KeySignIn, context: CallContext): Promise<NewSession> {
    const keyHash = Buffer.from(api_key_sha256, 'hex')
    const signIn = this.#uow.in(NO_SPACES).write(async (repos) => {
      const { key, user } = await useKey(repos, keyHash)
      return { key, session: await createSession(repos, { user, apiKeyId: key.id, session_sha256 }, context) }
    })
    const { key, session } = await signIn.catch(async (error: unknown) => {
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') await this.#recordWrongKey(context)
      throw error
    })
    if (key.replaces !== null) await this.#keys.finishRotation(key)
    return session
  }

  async #recordWrongKey(context: CallContext): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async (repos) => {
      const failures = await repos.failures.add(ALL_KEYS)
      if (failures <= FAILURES.auditedKeys)
        await recordAudit(repos.outbox, auth.auditRecorded, failedSignIn('api_key', null), context)
    })
  }

  async #recordWrongPassword(bucket: Buffer, userId: string | null, context: CallContext): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async (repos) => {
      await repos.failures.add(bucket)
      await repos.failures.add(ALL_PASSWORDS)
      await recordAudit(repos.outbox, auth.auditRecorded, failedSignIn('user', userId), context)
    })
  }
}

function refuseAfterTooMany(name: Buffer, counts: readonly { bucket: Buffer; failures: number; seconds_left: number }[]): void {
  const full = counts.filter(({ bucket, failures }) => failures >= (bucket.equals(name) ? FAILURES.name : FAILURES.passwords))
  if (full.length === 0) return
  const retryAfter = Math.max(1, ...full.map(({ seconds_left }) => seconds_left))
  const wait = `Try again in ${Math.ceil(retryAfter / 60)} min, or sign in with an API key.`
  throw new AppError('RATE_LIMIT_EXCEEDED', `Too many failed sign-ins. ${wait}`, { retryAfter })
}

const failedSignIn = (targetType: string, targetId: string | null) =>
  ({ actor_id: null, action: 'session.create', outcome: 'denied', target_type: targetType, target_id: targetId }) as const

async function createSession(
  repos: Pick<AuthRepositories, 'sessions' | 'outbox'>,
  { user, apiKeyId, session_sha256 }: { user: User; apiKeyId: string | null; session_sha256: string },
  context: CallContext,
): Promise<NewSession> {
  const id = newId()
  const { ends_at } = await repos.sessions.add({
    id,
    user_id: user.id,
    secret_hash: Buffer.from(session_sha256, 'hex'),
    api_key_id: apiKeyId,
  })
  const target = { target_type: 'session', target_id: id }
  await recordAudit(
    repos.outbox,
    auth.auditRecorded,
    { actor_id: user.id, action: 'session.create', outcome: 'allowed', ...target },
    context,
  )
  return { user: toUser(user), session_id: id, expires_at: ends_at }
}
