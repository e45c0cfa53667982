import { auth, type Revocation } from '@youworker/contracts/auth'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { CallContext } from '@youworker/messaging/requests/context'

/** As many as fit into one reply (LIMITS.wire); services have received older ones as events. */
const LISTED = 4_000

/** Revokes every token of a session or key in all services, once the transaction commits. */
export async function revoke(
  { revocations, outbox }: Pick<AuthRepositories, 'revocations' | 'outbox'>,
  sid: string,
  context: Pick<CallContext, 'correlationId' | 'traceparent'>,
): Promise<void> {
  const revocation = { sid, sub: null, revoked_at: new Date().toISOString() }
  await revocations.add({ id: newId(), ...revocation })
  await outbox.add(auth.revocationAdded, revocation, context)
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
