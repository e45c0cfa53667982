import type { Context } from './context.ts'

/** Names of users. auth keeps them; nothing of it is stored here. */
export interface UserDirectory {
  /** By id; unknown ids are missing. At most 200. */
  names(userIds: readonly string[], context: Context): Promise<ReadonlyMap<string, string>>
  named(username: string, context: Context): Promise<{ readonly id: string; readonly username: string } | undefined>
}
