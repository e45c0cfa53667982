import { auth, type User } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import type { UserRow } from '@youworker/database/owners/auth/tables'
import { recordAudit } from '@youworker/database/events/record-audit'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { Caller, CallContext } from '@youworker/messaging/requests/context'
import { revoke } from './revocation-service.ts'
import type { Subject, TokenSigner } from './token-signer.ts'
import { requireActive, toUser } from '../accounts/user.ts'
import type { ApiKeyService } from '../keys/api-key-service.ts'
import { useKey } from '../keys/use-key.ts'

export interface Exchanged {
  readonly access_token: string
  readonly token_expires_at: string
  readonly sid: string
  readonly user: User
}

/** Exchanges a session secret or an API key for an access token, and ends sessions. */
export class CredentialService {
  readonly #uow: AuthUnitOfWork
  readonly #signer: TokenSigner
  readonly #keys: Pick<ApiKeyService, 'finishRotation'>

  constructor(uow: AuthUnitOfWork, signer: TokenSigner, keys: Pick<ApiKeyService, 'finishRotation'>) {
    this.#uow = uow
    this.#signer = signer
    this.#keys = keys
  }

  async exchange(kind: 'session' | 'api_key', secretHash: Buffer): Promise<Exchanged> {
    return kind === 'session' ? this.#exchangeSession(secretHash) : this.#exchangeKey(secretHash)
  }

  /** Ends the caller's session in every service; does nothing for an API key, which has no session. */
  async endSession(caller: Caller, context: CallContext): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async (repos) => {
      if (!(await repos.sessions.remove(caller.sid, caller.user_id))) return
      await revoke(repos, caller.sid, context)
      const target = { target_type: 'session', target_id: caller.sid }
      recordAudit(
        repos.outbox,
        auth.auditRecorded,
        { actor_id: caller.user_id, action: 'session.end', outcome: 'allowed', ...target },
        context,
      )
    })
  }

  #exchangeSession(secretHash: Buffer): Promise<Exchanged> {
    return this.#uow.in(NO_SPACES).write(async ({ sessions, users }) => {
      const found = await sessions.live(secretHash)
      const user = found && (await users.hold(found.user_id))
      // Read again under the lock: a sign-out may have been faster.
      const session = user && (await sessions.live(secretHash))
      if (!session || !user) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the session has ended. Sign in again.')
      requireActive(user)
      if (session.is_stale) await sessions.touch(session.id)
      const { id: sid, scopes, ends_at } = session
      return this.#sign(user, { sid, scopes, not_after: ends_at })
    })
  }

  async #exchangeKey(secretHash: Buffer): Promise<Exchanged> {
    const { key, exchanged } = await this.#uow.in(NO_SPACES).write(async (repos) => {
      const { key, user } = await useKey(repos, secretHash)
      const { id: sid, scopes, expires_at } = key
      return { key, exchanged: await this.#sign(user, { sid, scopes, not_after: expires_at }) }
    })
    if (key.replaces !== null) await this.#keys.finishRotation(key)
    return exchanged
  }

  /** Inside the transaction that holds the user. */
  async #sign(user: UserRow, rights: Pick<Subject, 'sid' | 'scopes' | 'not_after'>): Promise<Exchanged> {
    const { token, expires_at } = await this.#signer.signApi({ user_id: user.id, is_root: user.is_root, ...rights })
    return { access_token: token, token_expires_at: expires_at, sid: rights.sid, user: toUser(user) }
  }
}
