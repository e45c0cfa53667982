import type { Revocation } from '@youworker/contracts/auth'

/** No access token lives longer, so an older revocation has nothing left to refuse. */
export const LONGEST_TOKEN_MS = 10 * 60_000
/** For the difference between this clock and the one that wrote the revocation. */
const SLACK_MS = 60_000

interface Issued {
  readonly sub: string
  readonly sid: string
  readonly issuedAt: number
}

/** Revocations that may still meet a living token. They are only ever added: nothing is taken back. */
export class DenyList {
  readonly #sessions = new Map<string, number>()
  readonly #users = new Map<string, number>()

  /** Whether it says something that was not known yet. */
  add({ sid, sub, revoked_at }: Revocation, now = Date.now()): boolean {
    const at = Date.parse(revoked_at)
    if (at + LONGEST_TOKEN_MS + SLACK_MS < now) return false
    const [list, id] = sid === null ? [this.#users, sub] : [this.#sessions, sid]
    if (id === null || (list.get(id) ?? -Infinity) >= at) return false
    list.set(id, at)
    return true
  }

  /** A session that ended stays ended; a user may have signed in again after theirs were. */
  refuses({ sid, sub, issuedAt }: Issued): boolean {
    if (this.#sessions.has(sid)) return true
    const at = this.#users.get(sub)
    return at !== undefined && issuedAt <= at
  }

  prune(now = Date.now()): void {
    for (const list of [this.#sessions, this.#users]) {
      for (const [id, at] of list) if (at + LONGEST_TOKEN_MS + SLACK_MS < now) list.delete(id)
    }
  }
}
