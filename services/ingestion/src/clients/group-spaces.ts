import { AppError } from '@youworker/contracts/errors'
import type { group } from '@youworker/contracts/group'
import type { createClient } from '@youworker/messaging/requests/client'
import { createBreaker } from '@youworker/runtime/timing/breaker'
import type { CheckSpace, ListSpaces, SpacesOfUser } from '../services/space-access.ts'

/** Every search waits this long when the group service does not answer, so it is short. */
const TIMEOUT_MS = 2_000

/** Asks the group service which spaces the caller may read, as the caller. */
export function groupSpaces(client: ReturnType<typeof createClient<typeof group>>): ListSpaces {
  const isFailure = (error: unknown) =>
    error instanceof AppError && (error.code === 'SERVICE_UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED')
  const breaker = createBreaker({ target: 'the group service', isFailure })
  return async (context) => {
    const { space_ids } = await breaker.run(() => client.as(context).listSpaces({}, { timeoutMs: TIMEOUT_MS }))
    return space_ids
  }
}

interface RightsOfUsers {
  readonly checkSpace: CheckSpace
  readonly spacesOf: SpacesOfUser
}

/** Asks the group service what a user may do in a space, and which spaces that user may read, at this moment. */
export const rightsOfUsers = (client: ReturnType<typeof createClient<typeof group>>): RightsOfUsers => ({
  checkSpace: async (user_id, space_id) => (user_id === space_id ? { allowed: true } : client.checkSpace({ user_id, space_id })),
  spacesOf: async (user_id) => (await client.listSpacesOf({ user_id })).space_ids,
})
