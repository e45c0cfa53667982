import { AppError } from '@youworker/contracts/errors'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'

/** Keeps the reply of `space.list` well below LIMITS.wire. */
const MAX_GROUPS = 1_000
/**
 * A try fails only when the same user has named another group meanwhile, so all fail only with this many concurrent requests.
 */
const MAX_TRIES = 50

/** Call it in the transaction that sets the name, after checking that the caller may do so. */
export type ClaimName = (repos: Pick<GroupRepositories, 'own'>) => Promise<void>

interface Naming {
  readonly userId: string
  readonly name: string
  /** The named group itself, which does not count as a duplicate. */
  readonly groupId: string
  readonly signal: AbortSignal
}

class NameVersionChanged extends Error {}

export const nameKey = (name: string): string => name.normalize('NFKC').toLowerCase()

/** Reads over all groups of one user. The only code here that reads across spaces. */
export class OwnGroups {
  readonly #uow: GroupUnitOfWork

  constructor(uow: GroupUnitOfWork) {
    this.#uow = uow
  }

  ids(userId: string): Promise<string[]> {
    return this.#uow.system().read(({ own }) => own.ids(userId))
  }

  async requireBelowLimit(userId: string): Promise<void> {
    const count = await this.#uow.system().read(({ own }) => own.count(userId))
    if (count >= MAX_GROUPS) throw new AppError('VALIDATION_ERROR', `A user can be in ${MAX_GROUPS} groups at most.`)
  }

  /**
   * Group names are unique among the caller's own groups. These are in spaces that the writing transaction must not see, so the
   * names are read before it. Its `claim` fails when the user has named another group since, and then everything is repeated.
   */
  async naming<T>({ userId, name, groupId, signal }: Naming, write: (claim: ClaimName) => Promise<T>): Promise<T> {
    const key = nameKey(name)
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      signal.throwIfAborted()
      const seen = await this.#uow.system().read(async ({ own }) => {
        const version = await own.nameVersion(userId)
        return { version, holder: await own.named(userId, key) }
      })
      try {
        return await write(async ({ own }) => {
          if (seen.holder !== undefined && seen.holder.id !== groupId) {
            throw new AppError('GROUP_NAME_EXISTS', 'One of your groups has this name. Choose another one.')
          }
          if (!(await own.advanceNameVersion(userId, seen.version))) throw new NameVersionChanged()
        })
      } catch (error) {
        if (!(error instanceof NameVersionChanged)) throw error
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', 'You are naming many groups at once. Try again in a second.', { retryAfter: 1 })
  }
}
