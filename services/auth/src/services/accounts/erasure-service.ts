import { auth, ERASING } from '@youworker/contracts/auth'
import type { HandlerInput } from '@youworker/contracts/define'
import type { UserRow } from '@youworker/database/owners/auth/tables'
import type { Trace } from '@youworker/messaging/requests/context'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import { revokeUser } from '../tokens/revocation-service.ts'

const ROUNDS = 2
/** Longer than any request that had begun with a token of the user may take. In seconds. */
const SECOND_ROUND_S = 15
/** An announcement is repeated when services have not reported for so long. In seconds. */
const AGAIN_S = 300

type Report = HandlerInput<typeof auth.reportErasure>

/** Ends an account here and now. The other services hear of it once the transaction commits. The user's row must be locked. */
export async function deleteAccount(
  repos: Pick<AuthRepositories, 'deletedUsers' | 'idempotency' | 'outbox' | 'revocations' | 'users'>,
  { id, created_at }: UserRow,
  trace: Trace,
): Promise<void> {
  await repos.deletedUsers.add({ user_id: id, created_at, waiting_for: [...ERASING] }, AGAIN_S)
  // Keys, sessions and grants go with the user.
  await repos.users.remove(id)
  await repos.idempotency.forget(id)
  await revokeUser(repos, id, trace)
  repos.outbox.add(auth.userDeleted, { user_id: id, round: 1 }, trace)
}

/**
 * Sees to it that all services erase a deleted user: announces it until each has reported, twice, because requests under way at the
 * deletion may have written after the first time.
 */
export class ErasureService {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  async report({ user_id, round, service }: Report): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async ({ deletedUsers }) => {
      const user = await deletedUsers.lock(user_id, round)
      if (!user?.waiting_for.includes(service)) return
      const waiting_for = user.waiting_for.filter((name) => name !== service)
      if (waiting_for.length > 0) await deletedUsers.waitFor(user_id, { round, waiting_for }, AGAIN_S)
      else if (round === ROUNDS) await deletedUsers.markErased(user_id)
      else await deletedUsers.waitFor(user_id, { round, waiting_for }, SECOND_ROUND_S)
    })
  }

  /** Begins the next round of users whose first is done, and announces a round again that takes too long. */
  async announceDue(): Promise<void> {
    const scope = this.#uow.in(NO_SPACES)
    if (!(await scope.read(({ deletedUsers }) => deletedUsers.hasDue()))) return
    for (let found = true; found;) {
      found = await scope.write(async ({ deletedUsers, outbox }) => {
        const user = await deletedUsers.lockDue()
        if (!user) return false
        const { user_id } = user
        const isNext = user.waiting_for.length === 0
        const round = isNext ? user.round + 1 : user.round
        await deletedUsers.waitFor(user_id, { round, waiting_for: isNext ? [...ERASING] : user.waiting_for }, AGAIN_S)
        const trace = { correlationId: newCorrelationId(), traceparent: newTraceparent() }
        outbox.add(auth.userDeleted, { user_id, round }, trace)
        return true
      })
    }
  }
}
