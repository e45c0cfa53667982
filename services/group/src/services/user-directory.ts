import type { UserContext } from '@youworker/messaging/requests/context'

/** Names of users. auth keeps them; nothing of it is stored here. */
export interface UserDirectory {
  /** By id; unknown ids are missing. At most 200. */
  names(userIds: readonly string[], context: UserContext): Promise<ReadonlyMap<string, string>>
  named(username: string, context: UserContext): Promise<{ readonly id: string; readonly username: string } | undefined>
}

/** Shown for a member whose account is gone. */
export const GONE = 'deleted user'

/** The rows, at most 200, with the names of their users. */
export async function withNames<Row extends { readonly user_id: string }>(
  users: UserDirectory,
  rows: readonly Row[],
  context: UserContext,
): Promise<(Row & { username: string })[]> {
  const ids = rows.map(({ user_id }) => user_id)
  const names = await users.names(ids, context)
  return rows.map((row) => ({ ...row, username: names.get(row.user_id) ?? GONE }))
}
