import type { User } from '@youworker/contracts/auth'

/** A user as returned to callers, without the columns for sign-in. */
export const toUser = ({ id, username, is_root, created_at }: User): User => ({ id, username, is_root, created_at })
