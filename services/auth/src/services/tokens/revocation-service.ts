import { auth, type Revocation } from '@youworker/contracts/auth'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { Trace } from '@youworker/messaging/requests/context'

/** As many as fit into one reply (LIMITS.wire); services have received older ones as events. */
const LISTED = 4_000
/** With more sessions than this, one revocation covers all that the user has running instead. */
const MANY = 50

type Repositories = Pick<AuthRepositories, 'revocations' | 'outbox'>

/** Revokes every token of a session or key in all services, once the transaction commits. */
export const revoke = (repos: Repositories, sid: string, trace: Trace): Promise<void> => add(repos, { sid, sub: null }, trace)

/**
 * Revokes every token of a user that was signed until now; also ends their streams and runs. The transaction must have locked the
 * user's row before, so that no token is being signed.
 */
export const revokeUser = (repos: Repositories, sub: string, trace: Trace): Promise<void> => add(repos, { sid: null, sub }, trace)

/** Ends a key with the sessions that it opened. The user's row must be locked, as for {@link revokeUser}. */
export async function endKey(
  repos: Pick<AuthRepositories, 'apiKeys' | 'sessions'> & Repositories,
  { id, user_id }: { id: string; user_id: string },
  trace: Trace,
): Promise<void> {
  await repos.apiKeys.revoke(id)
  await revoke(repos, id, trace)
  const sessions = await repos.sessions.removeOfKey(id)
  if (sessions.length > MANY) await revokeUser(repos, user_id, trace)
  else for (const sid of sessions) await revoke(repos, sid, trace)
}

async function add(
  { revocations, outbox }: Repositories,
  of: Pick<Revocation, 'sid' | 'sub'>,
  { correlationId, traceparent }: Trace,
): Promise<void> {
  const revocation = { ...of, revoked_at: new Date().toISOString() }
  await revocations.add({ id: newId(), ...revocation })
  outbox.add(auth.revocationAdded, revocation, { correlationId, traceparent })
}

export class RevocationService {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  list(): Promise<Revocation[]> {
    return this.#uow.in(NO_SPACES).read(({ revocations }) => revocations.recent(LISTED))
  }
}
