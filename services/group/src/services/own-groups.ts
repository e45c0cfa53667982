import { AppError } from '@youworker/contracts/errors'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'

/** Keeps the answer to `space.list` well below one message. */
const MAX_GROUPS = 1_000
/** Each try that fails was overtaken by another name the same user gave, so it takes this many at once to fail. */
const MAX_TRIES = 50

/** To be called in the transaction that gives the name, once it is known that the caller may give it. */
export type ClaimName = (repos: Pick<GroupRepositories, 'own'>) => Promise<void>

interface Naming {
  readonly userId: string
  readonly name: string
  /** The group that is renamed: its present name is no obstacle. */
  readonly groupId: string
  readonly signal: AbortSignal
}

class Overtaken extends Error {}

export const nameKey = (name: string): string => name.normalize('NFKC').toLowerCase()

/** What spans all of one user's groups. The only place that reads across spaces, and it only reads. */
export class OwnGroups {
  readonly #uow: GroupUnitOfWork

  constructor(uow: GroupUnitOfWork) {
    this.#uow = uow
  }

  ids(userId: string): Promise<string[]> {
    return this.#uow.system().read(({ own }) => own.ids(userId))
  }

  async requireRoom(userId: string): Promise<void> {
    const count = await this.#uow.system().read(({ own }) => own.count(userId))
    if (count >= MAX_GROUPS) throw new AppError('VALIDATION_ERROR', `A user can be in ${MAX_GROUPS} groups at most.`)
  }

  /**
   * Group names are unique among the caller's own groups. The names span spaces that the writing transaction must not see, so
   * they are read before it, and its `claim` fails when the user has given another name since; then all of it is repeated.
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
          if (!(await own.advanceNameVersion(userId, seen.version))) throw new Overtaken()
        })
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', 'You are naming many groups at once. Try again in a second.', { retryAfter: 1 })
  }
}
