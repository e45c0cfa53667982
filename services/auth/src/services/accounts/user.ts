import type { Account, User } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import type { UserRow } from '@youworker/database/owners/auth/tables'

/** Name of the account of `SECURITY__ROOT_API_KEY`, which stays root. */
export const ROOT = 'root'
/** Name of the key that comes with an account. */
export const ACCOUNT_KEY = 'Account key'

export const usernameTaken = (): AppError => new AppError('CONFLICT', 'This username is taken. Choose another one.')

/** A user as returned to callers, without the columns for sign-in. */
export const toUser = ({ id, username, is_root, created_at }: User): User => ({ id, username, is_root, created_at })

/** The same for administrators. */
export const toAccount = (row: UserRow): Account => ({
  ...toUser(row),
  email: row.email,
  suspended: row.suspended_at !== null,
})

/** Throws `NOT_AUTHENTICATED` for a suspended user. Call it after the credential was found right: it tells that the account exists. */
export function requireActive({ suspended_at }: Pick<UserRow, 'suspended_at'>): void {
  if (suspended_at === null) return
  throw new AppError(
    'NOT_AUTHENTICATED',
    'Not authenticated: this account is suspended. Ask the administrator of this installation.',
  )
}
