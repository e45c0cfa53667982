import type { auth } from '@youworker/contracts/auth'
import type { createClient } from '@youworker/messaging/requests/client'
import type { DescribeUsers } from '../services/labels/collection-access.ts'

/** Asks the auth service for the names of users and whether they may sign in. */
export const userDirectory =
  (client: ReturnType<typeof createClient<typeof auth>>): DescribeUsers =>
  async (user_ids) =>
    (await client.describeUsers({ user_ids: [...user_ids] })).users
