import { type Account, auth, type User } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import type { UserRow } from '@youworker/database/owners/auth/tables'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { Caller, CallContext } from '@youworker/messaging/requests/context'
import { hashPassword } from '../sign-in/password.ts'
import type { HashLimit } from '../sign-in/hash-limit.ts'
import { type Act, recordAct, requireRoot } from '../audit/record.ts'
import { ACCOUNT_KEY, toAccount, toUser, usernameTaken } from './user.ts'
import { usernameKey } from '../sign-in/username-key.ts'

export interface NewAccount {
  readonly username: string
  readonly email?: string | null | undefined
  readonly is_root?: boolean | undefined
  readonly password?: string | undefined
  readonly api_key_sha256: string
}

export class AccountService {
  readonly #uow: AuthUnitOfWork
  readonly #hashLimit: HashLimit

  constructor(uow: AuthUnitOfWork, hashLimit: HashLimit) {
    this.#uow = uow
    this.#hashLimit = hashLimit
  }

  /**
   * The caller has made the API key and sends its hash. A repeat with the same idempotency key comes with another key, which was
   * never stored: it throws `CONFLICT`.
   */
  async create(account: NewAccount, caller: Caller, context: CallContext): Promise<Account> {
    await requireRoot(this.#uow, actOn(null), caller, context)
    const { username, email = null, is_root = false, password } = account
    const passwordHash = password === undefined ? null : await this.#hash(password, caller, context)
    const user = await this.#uow.in(NO_SPACES).write((repos) => {
      // The hash of the request is stored, so it must not depend on the password.
      const request = { username, email, is_root, has_password: passwordHash !== null }
      const attempt = { user_id: caller.user_id, subject: auth.createUser.subject, key: context.idempotencyKey, request }
      return onlyOnce(repos, attempt, () => this.#add(repos, account, passwordHash, caller, context))
    })
    return toAccount(user)
  }

  async get(userId: string): Promise<User> {
    const user = await this.#uow.in(NO_SPACES).read(({ users }) => users.get(userId))
    if (!user) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: this account no longer exists.')
    return toUser(user)
  }

  async lookUp(wanted: { user_ids: string[] } | { username: string }): Promise<{ id: string; username: string }[]> {
    return this.#uow.in(NO_SPACES).read(async ({ users }) => {
      if ('user_ids' in wanted) return wanted.user_ids.length === 0 ? [] : users.names(wanted.user_ids)
      const key = usernameKey(wanted.username)
      const user = key === undefined ? undefined : await users.byKey(key)
      return user ? [{ id: user.id, username: user.username }] : []
    })
  }

  describe(userIds: readonly string[]): Promise<{ id: string; username: string; suspended: boolean }[]> {
    return this.#uow.in(NO_SPACES).read(({ users }) => users.describe(userIds))
  }

  #hash(password: string, caller: Caller, { signal }: CallContext): Promise<string> {
    return this.#hashLimit(() => hashPassword(password), { caller: caller.user_id, isKnown: true, signal })
  }

  async #add(
    repos: AuthRepositories,
    { username, email = null, is_root = false, api_key_sha256 }: NewAccount,
    passwordHash: string | null,
    caller: Caller,
    context: CallContext,
  ): Promise<UserRow> {
    const id = newId()
    const username_key = usernameKey(username) ?? username
    const user = await repos.users.add({ id, username, username_key, is_root, email, password_hash: passwordHash })
    if (!user) throw usernameTaken()
    await repos.apiKeys.add({
      id: newId(),
      user_id: id,
      key_hash: Buffer.from(api_key_sha256, 'hex'),
      of_account: true,
      name: ACCOUNT_KEY,
    })
    repos.outbox.add(auth.userCreated, { user_id: id, is_root }, context)
    recordAct(repos, actOn(id), caller, context)
    if (is_root) recordAct(repos, { ...actOn(id), action: 'user.make-root' }, caller, context)
    return user
  }
}

const actOn = (userId: string | null): Act => ({ action: 'user.create', target_type: 'user', target_id: userId })

async function onlyOnce(
  { idempotency }: Pick<AuthRepositories, 'idempotency'>,
  attempt: Parameters<AuthRepositories['idempotency']['once']>[0],
  work: () => Promise<UserRow>,
): Promise<UserRow> {
  let made: UserRow | undefined
  await idempotency.once(attempt, async () => {
    made = await work()
    return { user_id: made.id }
  })
  if (made) return made
  throw new AppError('CONFLICT', 'This request made the account before. Its API key was shown then and cannot be shown again.')
}
