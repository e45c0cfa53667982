import type { User } from '@youworker/contracts/auth'

/** A user as callers see it: without what is kept for sign-in. */
export const toUser = ({ id, username, is_root, created_at }: User): User => ({ id, username, is_root, created_at })
