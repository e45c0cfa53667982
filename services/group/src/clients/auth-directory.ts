import type { auth } from '@youworker/contracts/auth'
import type { createClient } from '@youworker/messaging/requests/client'
import { LRUCache } from 'lru-cache'
import type { UserDirectory } from '../services/user-directory.ts'

/** How long a changed name may still be shown. */
const CACHED_MS = 5_000
const CACHED_NAMES = 10_000

/** Asks auth on behalf of the caller. Names are cached, because every view of a group shows some. */
export function authDirectory(client: ReturnType<typeof createClient<typeof auth>>): UserDirectory {
  const cache = new LRUCache<string, string>({ max: CACHED_NAMES, ttl: CACHED_MS })
  return {
    async names(userIds, context) {
      const names = new Map<string, string>()
      for (const id of userIds) {
        const username = cache.get(id)
        if (username !== undefined) names.set(id, username)
      }
      const missing = userIds.filter((id) => !names.has(id))
      if (missing.length === 0) return names
      const { users } = await client.as(context).lookUpUsers({ user_ids: missing })
      for (const { id, username } of users) {
        cache.set(id, username)
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
