import { type Account, type AccountChanges, AccountState, type auth } from '@youworker/contracts/auth'
import type { CursorPage } from '@youworker/contracts/common'
import type { HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { isUniqueViolation } from '@youworker/database/connection/database-error'
import type { UserRow } from '@youworker/database/owners/auth/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import { type Act, deny, recordAct, requireRoot } from '../audit/record.ts'
import { usernameKey } from '../sign-in/username-key.ts'
import type { DeletedUser } from '../../repositories/deleted-user-repository.ts'
import { revokeUser } from '../tokens/revocation-service.ts'
import { deleteAccount } from './erasure-service.ts'
import { ROOT, toAccount, usernameTaken } from './user.ts'

const actOn = (action: string, userId: string | null): Act => ({ action, target_type: 'user', target_id: userId })
const notFound = () => new AppError('USER_NOT_FOUND', 'There is no such user; GET /v1/admin/users lists them')

/** What root does with accounts. Every act is audited, refused ones too. */
export class AccountAdmin {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  async list(page: CursorPage, context: UserContext): Promise<HandlerOutput<typeof auth.listUsers>> {
    const { rows, ...rest } = await this.#asRoot(actOn('user.list', null), context, ({ users }) => users.list(page))
    return { users: rows.map(toAccount), ...rest }
  }

  async get(userId: string, context: UserContext): Promise<AccountState> {
    return this.#asRoot(actOn('user.get', userId), context, async ({ users, deletedUsers }) => {
      const user = await users.get(userId)
      if (user) return { ...toAccount(user), deleted_at: null, erasure: null }
      const deleted = await deletedUsers.get(userId)
      if (!deleted) throw notFound()
      return toDeleted(deleted)
    })
  }

  /** The account ends at once; the other services erase theirs afterwards. A repeat changes nothing. */
  async delete(userId: string, context: UserContext): Promise<void> {
    const act = actOn('user.delete', userId)
    await this.#guarded(act, context, async (repos) => {
      const user = await repos.users.lock(userId)
      if (!user) {
        if (await repos.deletedUsers.get(userId)) return
        throw notFound()
      }
      if (user.username_key === ROOT) throw new Forbidden(`${ROOT_STAYS} cannot be deleted.`)
      if (user.id === context.caller.user_id) throw new Forbidden('You cannot delete yourself; another root has to do it.')
      await deleteAccount(repos, user, context)
      recordAct(repos, act, context.caller, context)
    })
  }

  /** Each change has an entry of its own in the audit trail; what is so already has none. */
  async update(userId: string, changes: AccountChanges, context: UserContext): Promise<Account> {
    const work = this.#guarded(actOn('user.update', userId), context, async (repos) => {
      const user = await repos.users.lock(userId)
      if (!user) throw notFound()
      requireAllowed(user, changes, context.caller.user_id)
      return toAccount(await change(repos, user, changes, context))
    })
    return work.catch((error: unknown) => {
      throw isUniqueViolation(error) ? usernameTaken() : error
    })
  }

  /** Ends the user's sessions and known devices; API keys stay, but what they stream or run at the moment ends too. */
  async signOut(userId: string, context: UserContext): Promise<void> {
    const act = actOn('user.sign-out', userId)
    await this.#asRoot(act, context, async (repos) => {
      if (!(await repos.users.lock(userId))) throw notFound()
      await repos.sessions.removeOfUser(userId)
      await repos.knownClients.removeOfUser(userId)
      await revokeUser(repos, userId, context)
    })
  }

  /** What root may not do either is refused, and audited as denied. */
  async #guarded<T>(act: Act, context: UserContext, work: (repos: AuthRepositories) => Promise<T>): Promise<T> {
    const { caller } = context
    await requireRoot(this.#uow, act, caller, context)
    try {
      return await this.#uow.in(NO_SPACES).write(work)
    } catch (error) {
      if (!(error instanceof Forbidden)) throw error
      return deny(this.#uow, act, caller, context, new AppError('CONFLICT', error.message))
    }
  }

  async #asRoot<T>(act: Act, context: UserContext, work: (repos: AuthRepositories) => Promise<T>): Promise<T> {
    await requireRoot(this.#uow, act, context.caller, context)
    return this.#uow.in(NO_SPACES).write(async (repos) => {
      const result = await work(repos)
      recordAct(repos, act, context.caller, context)
      return result
    })
  }
}

/** A change that would leave the installation without root, or root without their rights. */
class Forbidden extends Error {}

const ROOT_STAYS = 'The account root belongs to SECURITY__ROOT_API_KEY: it'

/** The account of SECURITY__ROOT_API_KEY stays as it is, so there is always one root, and nobody takes their own rights. */
function requireAllowed(user: UserRow, { username, is_root, suspended }: AccountChanges, callerId: string): void {
  const demotes = is_root === false || suspended === true
  if (user.username_key === ROOT && (demotes || (username !== undefined && username !== user.username)))
    throw new Forbidden(`${ROOT_STAYS} keeps its name, stays root and is never suspended.`)
  if (user.id === callerId && demotes)
    throw new Forbidden('You cannot suspend yourself or give up root; another root has to do it.')
}

/** Applies what differs. Losing rights ends the user's tokens, and with them streams and runs. */
async function change(
  repos: AuthRepositories,
  user: UserRow,
  { username, email, is_root, suspended }: AccountChanges,
  context: UserContext,
): Promise<UserRow> {
  let row = user
  const record = (action: string) => recordAct(repos, actOn(action, user.id), context.caller, context)
  const isRenamed = username !== undefined && username !== user.username
  if (isRenamed || (email !== undefined && email !== user.email)) {
    const name = isRenamed ? { username, username_key: usernameKey(username) ?? username } : {}
    row = await repos.users.update(user.id, { ...name, ...(email === undefined ? {} : { email }) })
    record('user.update')
  }
  if (is_root !== undefined && is_root !== user.is_root) {
    row = await repos.users.update(user.id, { is_root })
    if (!is_root) await revokeUser(repos, user.id, context)
    record(is_root ? 'user.make-root' : 'user.unmake-root')
  }
  if (suspended !== undefined && suspended !== (user.suspended_at !== null)) {
    row = await repos.users.setSuspended(user.id, suspended)
    if (suspended) {
      await repos.sessions.removeOfUser(user.id)
      await repos.knownClients.removeOfUser(user.id)
      await revokeUser(repos, user.id, context)
    }
    record(suspended ? 'user.suspend' : 'user.resume')
  }
  return row
}

/** Only that there was such a user, and how far the erasure is. */
const toDeleted = ({ user_id, created_at, deleted_at, erased_at, waiting_for }: DeletedUser): AccountState =>
  AccountState.parse({
    id: user_id,
    username: 'deleted user',
    email: null,
    is_root: false,
    suspended: true,
    created_at,
    deleted_at,
    erasure: { status: erased_at === null ? 'running' : 'success', waiting_for },
  })
