import type { auth } from '@youworker/contracts/auth'
import type { createClient } from '@youworker/messaging/requests/client'
import type { UserDirectory } from '../services/user-directory.ts'

/** How long a name may be shown after it has changed. */
const KEEP_MS = 5_000
const MAX_KEPT = 10_000

/** Asks auth as the caller. Names are kept for 5 s: every view of a group shows some. */
export function authDirectory(client: ReturnType<typeof createClient<typeof auth>>): UserDirectory {
  const kept = new Map<string, { readonly username: string; readonly until: number }>()
  return {
    async names(userIds, context) {
      const now = Date.now()
      const names = new Map<string, string>()
      for (const id of userIds) {
        const known = kept.get(id)
        if (known && known.until > now) names.set(id, known.username)
      }
      const missing = userIds.filter((id) => !names.has(id))
      if (missing.length === 0) return names
      const { users } = await client.as(context).lookUpUsers({ user_ids: missing })
      if (kept.size > MAX_KEPT) kept.clear()
      for (const { id, username } of users) {
        kept.set(id, { username, until: now + KEEP_MS })
        names.set(id, username)
      }
      return names
    },
    async named(username, context) {
      const { users } = await client.as(context).lookUpUsers({ username })
      return users[0]
    },
  }
}
