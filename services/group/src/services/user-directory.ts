import type { UserContext } from '@youworker/messaging/requests/context'

/** Names of users. They belong to auth and are not stored here. */
export interface UserDirectory {
  /** By id; unknown ids are missing. At most 200. */
  names(userIds: readonly string[], context: UserContext): Promise<ReadonlyMap<string, string>>
  named(username: string, context: UserContext): Promise<{ readonly id: string; readonly username: string } | undefined>
}

/** Shown for a member whose account was deleted. */
export const DELETED_USER = 'deleted user'

/** Adds the names of their users to at most 200 rows. */
export async function withNames<Row extends { readonly user_id: string }>(
  users: UserDirectory,
  rows: readonly Row[],
  context: UserContext,
): Promise<(Row & { username: string })[]> {
  const ids = rows.map(({ user_id }) => user_id)
  const names = await users.names(ids, context)
  return rows.map((row) => ({ ...row, username: names.get(row.user_id) ?? DELETED_USER }))
}
