import { AppError } from '@youworker/contracts/errors'
import type { Page } from '@youworker/contracts/common'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'

/** Keeps the reply of `space.list` well below LIMITS.wire. */
const MAX_GROUPS = 1_000
/** A try fails only when the same user has named another group through another replica meanwhile. */
const MAX_TRIES = 50

/** Call it in the transaction that sets the name, after checking that the caller may do so. */
export type ClaimName = (repos: Pick<GroupRepositories, 'own'>) => Promise<void>

export interface OwnPage extends Page {
  readonly include_deleted?: boolean
}

interface Naming {
  readonly userId: string
  readonly name: string
  /** The named group itself, which does not count as a duplicate. */
  readonly groupId: string
  readonly isNew: boolean
  readonly signal: AbortSignal
}

class NameVersionChanged extends Error {}

export const nameKey = (name: string): string => name.normalize('NFKC').toLowerCase()

/** Reads over all groups of one user. The only code here that reads across spaces. */
export class OwnGroups {
  readonly #uow: GroupUnitOfWork
  /** The newest naming of each user, ended or not. */
  readonly #namings = new Map<string, Promise<void>>()

  constructor(uow: GroupUnitOfWork) {
    this.#uow = uow
  }

  ids(userId: string): Promise<string[]> {
    return this.#uow.system().read(({ own }) => own.ids(userId))
  }

  /** Also of groups that are deleted. */
  allIds(userId: string): Promise<string[]> {
    return this.#uow.system().read(({ own }) => own.allIds(userId))
  }

  /** Newest first; on demand with the deleted ones that the user may restore. */
  page(userId: string, { include_deleted = false, ...page }: OwnPage): Promise<{ ids: string[]; total: number }> {
    return this.#uow.system().read(async ({ own }) => {
      const [ids, total] = await Promise.all([own.page(userId, page, include_deleted), own.count(userId, include_deleted)])
      return { ids, total }
    })
  }

  async requireBelowLimit(userId: string): Promise<void> {
    refuseMore(await this.#uow.system().read(({ own }) => own.count(userId)))
  }

  /**
   * Group names are unique among the caller's own groups. These are in spaces that the writing transaction must not see, so the
   * names are read before it. Its `claim` fails when the user has named another group since, and then everything is repeated. Within this
   * process one user's namings wait for each other, so that they need not repeat.
   */
  async naming<T>(naming: Naming, write: (claim: ClaimName) => Promise<T>): Promise<T> {
    const { userId } = naming
    const before = this.#namings.get(userId) ?? Promise.resolve()
    const mine = before.then(() => this.#name(naming, write))
    const ended = mine.then(ignore, ignore)
    this.#namings.set(userId, ended)
    try {
      return await mine
    } finally {
      if (this.#namings.get(userId) === ended) this.#namings.delete(userId)
    }
  }

  async #name<T>({ userId, name, groupId, isNew, signal }: Naming, write: (claim: ClaimName) => Promise<T>): Promise<T> {
    const key = nameKey(name)
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      signal.throwIfAborted()
      const [version, holder, count] = await this.#uow
        .system()
        .read(({ own }) => Promise.all([own.nameVersion(userId), own.named(userId, key), isNew ? own.count(userId) : 0]))
      refuseMore(count)
      try {
        return await write(async ({ own }) => {
          if (holder !== undefined && holder.id !== groupId) {
            throw new AppError('GROUP_NAME_EXISTS', 'One of your groups has this name. Choose another one.')
          }
          if (!(await own.advanceNameVersion(userId, version))) throw new NameVersionChanged()
        })
      } catch (error) {
        if (!(error instanceof NameVersionChanged)) throw error
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', 'You are naming many groups at once. Try again in a second.', { retryAfter: 1 })
  }
}

const ignore = () => {}

function refuseMore(count: number): void {
  if (count >= MAX_GROUPS) throw new AppError('VALIDATION_ERROR', `A user can be in ${MAX_GROUPS} groups at most.`)
}
