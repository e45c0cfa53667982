import { type ApiKey, auth } from '@youworker/contracts/auth'
import type { Page } from '@youworker/contracts/common'
import type { HandlerInput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import type { ApiKeyRow } from '@youworker/database/owners/auth/tables'
import type { Caller, Trace, UserContext } from '@youworker/messaging/requests/context'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import { type Act, deny, recordAct } from '../audit/record.ts'
import { ACCOUNT_KEY } from '../accounts/user.ts'
import { endKey } from '../tokens/revocation-service.ts'

/** Keys that one user may have at a time. */
const MAX_KEYS = 50

type NewKey = HandlerInput<typeof auth.createApiKey>

const actOn = (action: string, keyId: string | null): Act => ({ action, target_type: 'api_key', target_id: keyId })

/** The API keys of a user. Whoever brings a key makes it; auth gets and keeps its hash. */
export class ApiKeyService {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  async list(page: Page, { user_id }: Caller): Promise<{ api_keys: ApiKey[]; total: number }> {
    const { rows, total } = await this.#uow.in(NO_SPACES).read(({ apiKeys }) => apiKeys.list(user_id, page))
    return { api_keys: rows.map(toApiKey), total }
  }

  /** A repeat with the same idempotency key comes with another key, which was never stored: it throws `CONFLICT`. */
  async create(input: NewKey, context: UserContext): Promise<ApiKey> {
    const { caller } = context
    const { api_key_sha256, ...request } = input
    if (request.scopes?.includes('ops') && !caller.is_root) {
      const error = new AppError('NOT_AUTHORIZED', 'Only root may give a key the scope ops.')
      await deny(this.#uow, actOn('api_key.create', null), caller, context, error)
    }
    const expires_at = expiryOf(request.expires_at)
    return this.#changing(caller, async (repos) => {
      let made: ApiKeyRow | undefined
      const once = { user_id: caller.user_id, subject: auth.createApiKey.subject, key: context.idempotencyKey, request }
      await repos.idempotency.once(once, async () => {
        if ((await repos.apiKeys.count(caller.user_id)) >= MAX_KEYS)
          throw new AppError('CONFLICT', `You have ${MAX_KEYS} API keys, as many as there may be. Revoke one first.`)
        const { name, scopes } = request
        made = await add(repos, caller, api_key_sha256, { name, scopes: scopes ? [...new Set(scopes)] : null, expires_at })
        recordAct(repos, actOn('api_key.create', made.id), caller, context)
        return { key_id: made.id }
      })
      if (made) return toApiKey(made)
      throw new AppError('CONFLICT', 'This request made the key before. It was shown then and cannot be shown again.')
    })
  }

  revoke(keyId: string, context: UserContext): Promise<void> {
    const { caller } = context
    return this.#changing(caller, async (repos) => {
      const key = await repos.apiKeys.live(keyId, caller.user_id)
      if (!key) throw new AppError('API_KEY_NOT_FOUND', 'You have no such API key; GET /v1/account/api-keys lists them')
      requireNotFromSetting(key)
      await endKey(repos, key, context)
      recordAct(repos, actOn('api_key.revoke', keyId), caller, context)
    })
  }

  /**
   * Adds the successor of a key. Both work until {@link finishRotation}: the answer with the new key may never arrive, and its owner
   * must not be left without one. A session that the old key opened goes on with the new one.
   */
  rotate(newHash: string, context: UserContext): Promise<ApiKey> {
    const { caller } = context
    return this.#changing(caller, async (repos) => {
      const session = await repos.sessions.get(caller.sid, caller.user_id)
      const used = await repos.apiKeys.live(session?.api_key_id ?? caller.sid, caller.user_id)
      const old = used ?? (session && (await repos.apiKeys.ofAccount(caller.user_id)))
      if (!old && !session) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: this API key has ended.')
      if (old) {
        requireNotFromSetting(old)
        await repos.apiKeys.revokeLost(old.id)
      }
      const key = await add(repos, caller, newHash, { ...keptOf(old), replaces: old?.id ?? null })
      if (session && used) await repos.sessions.setKey(session.id, key.id)
      recordAct(repos, actOn('api_key.rotate', key.id), caller, context)
      return toApiKey(key)
    })
  }

  /** The owner has the key `id`: the one that it replaces ends. Does nothing when that has happened already. */
  finishRotation({ id, user_id }: Pick<ApiKeyRow, 'id' | 'user_id'>, trace: Trace = newTrace()): Promise<void> {
    return this.#changing({ user_id }, async (repos) => {
      const old = (await repos.apiKeys.live(id, user_id))?.replaces
      if (!old) return
      await repos.apiKeys.forgetReplaced(id)
      if (!(await repos.apiKeys.live(old, user_id))) return
      await endKey(repos, { id: old, user_id }, trace)
      recordAct(repos, actOn('api_key.revoke', old), { user_id }, trace)
    })
  }

  /** Ends the keys whose time is over, with their streams and runs; their tokens have expired by themselves. */
  async endExpired(): Promise<void> {
    const scope = this.#uow.in(NO_SPACES)
    if (!(await scope.read(({ apiKeys }) => apiKeys.hasExpired()))) return
    for (let ended = true; ended;) {
      ended = await scope.write(async (repos) => {
        const key = await repos.apiKeys.revokeExpired()
        if (!key) return false
        const trace = newTrace()
        await endKey(repos, key, trace)
        recordAct(repos, actOn('api_key.expire', key.id), null, trace)
        return true
      })
    }
  }

  /** Changes of one user's keys run one after another, and no token of theirs is signed meanwhile. */
  #changing<T>({ user_id }: Pick<Caller, 'user_id'>, work: (repos: AuthRepositories) => Promise<T>): Promise<T> {
    return this.#uow.in(NO_SPACES).write(async (repos) => {
      if (!(await repos.users.lock(user_id))) {
        throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: this account no longer exists.')
      }
      return work(repos)
    })
  }
}

type Kept = Pick<ApiKeyRow, 'name' | 'scopes' | 'expires_at'> & Partial<Pick<ApiKeyRow, 'of_account' | 'replaces'>>

const add = ({ apiKeys }: Pick<AuthRepositories, 'apiKeys'>, { user_id }: Pick<Caller, 'user_id'>, hash: string, key: Kept) =>
  apiKeys.add({ id: newId(), user_id, key_hash: Buffer.from(hash, 'hex'), ...key })

/** A successor is like the key before it. */
const keptOf = (old: ApiKeyRow | undefined): Kept => {
  const { name = ACCOUNT_KEY, scopes = null, expires_at = null, of_account = true } = old ?? {}
  return { name, scopes, expires_at, of_account }
}

const newTrace = (): Trace => ({ correlationId: newCorrelationId(), traceparent: newTraceparent() })

/** Whole seconds, because tokens expire at whole seconds. */
function expiryOf(time: string | null | undefined): string | null {
  if (!time) return null
  const ms = Math.floor(Date.parse(time) / 1_000) * 1_000
  if (ms > Date.now()) return new Date(ms).toISOString()
  throw new AppError('VALIDATION_ERROR', 'expires_at is over already; give a later time', {
    details: [{ field: 'expires_at', message: 'is not in the future' }],
  })
}

function requireNotFromSetting({ from_setting }: Pick<ApiKeyRow, 'from_setting'>): void {
  if (!from_setting) return
  throw new AppError('CONFLICT', 'This is the key of SECURITY__ROOT_API_KEY: set another value there and restart auth.')
}

const toApiKey = ({ id, name, scopes, created_at, expires_at, last_used_at }: ApiKeyRow): ApiKey => {
  return { id, name, scopes, created_at, expires_at, last_used_at }
}
