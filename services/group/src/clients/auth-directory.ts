import type { auth } from '@youworker/contracts/auth'
import type { createClient } from '@youworker/messaging/client'
import type { UserDirectory } from '../services/user-directory.ts'

/** Asks auth as the caller. */
export function authDirectory(client: ReturnType<typeof createClient<typeof auth>>): UserDirectory {
  return {
    async names(userIds, context) {
      if (userIds.length === 0) return new Map()
      const { users } = await client.as(context).lookUpUsers({ user_ids: [...userIds] })
      return new Map(users.map(({ id, username }) => [id, username]))
    },
    async named(username, context) {
      const { users } = await client.as(context).lookUpUsers({ username })
      return users[0]
    },
  }
}
