import { AppError } from '@youworker/contracts/errors'
import type { GroupPolicy, Role } from '@youworker/contracts/group'
import type { UserContext } from '@youworker/messaging/requests/context'
import { LRUCache } from 'lru-cache'
import type { SharedCollection } from '../repositories/sharing/grant-repository.ts'
import type { IngestionUnitOfWork } from '../unit-of-work.ts'

/** A membership event drops an entry at once; this bounds the time when an event is lost. */
const KEEP_MS = 5_000
const MAX_USERS = 10_000

/** Asks the group service, as the caller. Throws a 503 or 504 code when it does not answer. */
export type ListSpaces = (context: UserContext) => Promise<readonly string[]>

/** Of a user in a group: the role, and whose documents the group lets its members change. Nothing in a space of one's own. */
export interface SpaceRights {
  readonly role?: Role | undefined
  readonly document_changes?: GroupPolicy['document_changes'] | undefined
  /** Of a user outside the space: the collections of it that this user was let into. */
  readonly collections?: readonly SharedCollection[] | undefined
}

/** What a user may do in a space now. Also for jobs, which have no token of the user. */
export type CheckSpace = (userId: string, spaceId: string) => Promise<SpaceRights & { readonly allowed: boolean }>

/** The spaces that any user may read, for what root asks as that user. */
export type SpacesOfUser = (userId: string) => Promise<readonly string[]>

export interface Spaces {
  /** Never empty: the caller's own space is always one. */
  readonly ids: readonly string[]
  /** False while groups cannot be asked: then only the own space is known. */
  readonly complete: boolean
}

/** Everything that a caller may read: whole spaces, and collections of others. */
export interface Readable extends Spaces {
  readonly shared: readonly SharedCollection[]
  /** The ids of all spaces of which something may be read. */
  readonly all: readonly string[]
}

/** The collections of others that a user was let into, at this moment. */
export type SharedWith = (userId: string) => Promise<readonly SharedCollection[]>

/** Most collections of others that one user can be let into: each is a part of every search. */
export const MOST_SHARED = 50

export const sharedWith =
  (uow: IngestionUnitOfWork): SharedWith =>
  (userId) =>
    uow.in([userId]).read(({ grants }) => grants.sharedWith(userId, MOST_SHARED))

/** Tells of who is not in a space what that user was let into. */
export const withShared =
  (checkSpace: CheckSpace, shared: SharedWith): CheckSpace =>
  async (userId, spaceId) => {
    const rights = await checkSpace(userId, spaceId)
    if (rights.allowed) return rights
    return { allowed: false, collections: (await shared(userId)).filter(({ space_id }) => space_id === spaceId) }
  }

/** Who is in a space sees all of it. */
export function readableOf(spaces: Spaces, shared: readonly SharedCollection[]): Readable {
  const others = shared.filter(({ space_id }) => !spaces.ids.includes(space_id))
  return { ...spaces, shared: others, all: [...new Set([...spaces.ids, ...others.map(({ space_id }) => space_id)])] }
}

/** Which spaces a caller may use, kept for at most 5 s and dropped when a membership changes. */
export class SpaceAccess {
  readonly #list: ListSpaces
  readonly #shared: SharedWith
  readonly #kept = new LRUCache<string, readonly string[]>({ max: MAX_USERS, ttl: KEEP_MS })
  /** Counts drops: a reply that was requested before a drop must not be kept after it. */
  #drops = 0

  constructor(list: ListSpaces, shared: SharedWith) {
    this.#list = list
    this.#shared = shared
  }

  /** With what others have let the caller into, which is asked each time: it ends as soon as they want. */
  async readable(context: UserContext): Promise<Readable> {
    const [spaces, shared] = await Promise.all([this.of(context), this.#shared(context.caller.user_id)])
    return readableOf(spaces, shared)
  }

  async of(context: UserContext): Promise<Spaces> {
    const { user_id } = context.caller
    const kept = this.#kept.get(user_id)
    return kept ? { ids: kept, complete: true } : this.#ask(context)
  }

  async #ask(context: UserContext): Promise<Spaces> {
    const { user_id } = context.caller
    const drops = this.#drops
    try {
      const ids = [...new Set([user_id, ...(await this.#list(context))])]
      if (drops === this.#drops) this.#kept.set(user_id, ids)
      return { ids, complete: true }
    } catch (error) {
      if (!isAway(error)) throw error
      return { ids: [user_id], complete: false }
    }
  }

  /**
   * Looks for something in the caller's spaces, and once more in those of this moment when it is in none that was kept: the event
   * of a group that was made or joined just now may still be on its way.
   */
  async find<T>(context: UserContext, look: (spaces: Spaces) => Promise<T | undefined>) {
    const isKept = this.#kept.has(context.caller.user_id)
    const first = await this.of(context)
    const found = await look(first)
    if (found !== undefined || !isKept) return { found, spaces: first }
    const spaces = await this.#ask(context)
    return { found: await look(spaces), spaces }
  }

  /** The same in everything that the caller may read. */
  async findReadable<T>(context: UserContext, look: (readable: Readable) => Promise<T | undefined>) {
    const shared = await this.#shared(context.caller.user_id)
    return this.find(context, (spaces) => look(readableOf(spaces, shared)))
  }

  /** Throws `GROUP_NOT_FOUND` for a group that is not the caller's, `SERVICE_UNAVAILABLE` when that cannot be known now. */
  async require(context: UserContext, spaceId: string): Promise<Spaces> {
    const { found, spaces } = await this.find(context, async ({ ids }) => ids.includes(spaceId) || undefined)
    if (found) return spaces
    if (!spaces.complete) throw groupsAway()
    throw new AppError('GROUP_NOT_FOUND', 'There is no such group among yours; GET /v1/groups lists them')
  }

  dropUser(userId: string): void {
    this.#drops += 1
    this.#kept.delete(userId)
  }

  dropSpace(spaceId: string): void {
    this.#drops += 1
    for (const [userId, ids] of this.#kept.entries()) if (ids.includes(spaceId)) this.#kept.delete(userId)
  }

  /** After a reconnect, because events may have been missed. */
  dropAll(): void {
    this.#drops += 1
    this.#kept.clear()
  }
}

/** The error for an unknown id. While groups cannot be asked it may exist in one of them, so the caller is asked to try again. */
export const notFound = (spaces: Spaces, error: AppError): AppError => (spaces.complete ? error : groupsAway())

/** Answers 503 while groups cannot be asked, also when the group service is only too slow. */
export async function whileGroupsAnswer<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw isAway(error) ? groupsAway() : error
  }
}

const groupsAway = () =>
  new AppError('SERVICE_UNAVAILABLE', 'Groups cannot be checked right now; your own documents work, try again in a few seconds', {
    retryAfter: 5,
  })

const isAway = (error: unknown): boolean =>
  error instanceof AppError && ['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN', 'DEADLINE_EXCEEDED'].includes(error.code)
