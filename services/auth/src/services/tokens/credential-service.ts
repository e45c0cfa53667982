import { auth, type User } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { Caller, CallContext } from '@youworker/messaging/requests/context'
import { revoke } from './revocation-service.ts'
import type { SignedToken, TokenSigner } from './token-signer.ts'
import { toUser } from '../accounts/user.ts'

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

  constructor(uow: AuthUnitOfWork, signer: TokenSigner) {
    this.#uow = uow
    this.#signer = signer
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
      await recordAudit(
        repos.outbox,
        auth.auditRecorded,
        { actor_id: caller.user_id, action: 'session.end', outcome: 'allowed', ...target },
        context,
      )
    })
  }

  async #exchangeSession(secretHash: Buffer): Promise<Exchanged> {
    const session = await this.#uow.in(NO_SPACES).read(({ sessions }) => sessions.live(secretHash))
    if (!session) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the session has ended. Sign in again.')
    if (session.is_stale) await this.#uow.in(NO_SPACES).write(({ sessions }) => sessions.touch(session.sid))
    const { id, sid, is_root, ends_at } = session
    return toExchanged(await this.#signer.signApi({ user_id: id, sid, is_root, not_after: ends_at }), sid, session)
  }

  async #exchangeKey(secretHash: Buffer): Promise<Exchanged> {
    const owner = await this.#uow.in(NO_SPACES).read(({ apiKeys }) => apiKeys.owner(secretHash))
    if (!owner) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: this API key is not valid.')
    return toExchanged(
      await this.#signer.signApi({ user_id: owner.id, sid: owner.sid, is_root: owner.is_root }),
      owner.sid,
      owner,
    )
  }
}

const toExchanged = ({ token, expires_at }: SignedToken, sid: string, user: User): Exchanged => ({
  access_token: token,
  token_expires_at: expires_at,
  sid,
  user: toUser(user),
})
