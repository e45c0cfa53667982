import { AppError } from '@youworker/contracts/errors'
import type { UserRow } from '@youworker/database/owners/auth/tables'
import type { KeyOwner } from '../../repositories/api-key-repository.ts'
import type { AuthRepositories } from '../../unit-of-work.ts'
import { requireActive } from '../accounts/user.ts'

const invalidKey = (): AppError => new AppError('NOT_AUTHENTICATED', 'Not authenticated: this API key is not valid.')

/** The key with this hash and its user, who is held until the transaction ends. Throws `NOT_AUTHENTICATED` with the reason. */
export async function useKey(
  { apiKeys, users }: Pick<AuthRepositories, 'apiKeys' | 'users'>,
  keyHash: Buffer,
): Promise<{ key: KeyOwner; user: UserRow }> {
  const key = await apiKeys.byHash(keyHash)
  const user = key && (await users.hold(key.user_id))
  if (!key || !user) throw invalidKey()
  if (key.is_expired) throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: this API key has expired. Create another one.')
  requireActive(user)
  if (key.is_stale) await apiKeys.touch(key.id)
  return { key, user }
}
