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

/** Asks the group service which spaces another user may read. */
export function spacesOfUser(client: ReturnType<typeof createClient<typeof group>>): SpacesOfUser {
  return async (user_id) => (await client.listSpacesOf({ user_id })).space_ids
}

/** Asks the group service what a user may do in a space at this moment. */
export function spaceCheck(client: ReturnType<typeof createClient<typeof group>>): CheckSpace {
  return async (user_id, space_id) => (user_id === space_id ? { allowed: true } : client.checkSpace({ user_id, space_id }))
}
