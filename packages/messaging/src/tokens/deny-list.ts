import type { Revocation } from '@youworker/contracts/auth'

/** Longest life of an access token: every token that an older revocation could refuse has expired. */
export const LONGEST_TOKEN_MS = 10 * 60_000
/** Allowed difference between this clock and the one that wrote the revocation. */
const SLACK_MS = 60_000

interface Issued {
  readonly sub: string
  readonly sid: string
  readonly issuedAt: number
}

/** Revocations that can still refuse an unexpired token. A revocation is never undone. */
export class DenyList {
  readonly #sessions = new Map<string, number>()
  readonly #users = new Map<string, number>()

  /** Returns whether the revocation was new. */
  add({ sid, sub, revoked_at }: Revocation, now = Date.now()): boolean {
    const at = Date.parse(revoked_at)
    if (at + LONGEST_TOKEN_MS + SLACK_MS < now) return false
    const [list, id] = sid === null ? [this.#users, sub] : [this.#sessions, sid]
    if (id === null || (list.get(id) ?? -Infinity) >= at) return false
    list.set(id, at)
    return true
  }

  /** A revoked session stays revoked; a revoked user may have signed in again since. */
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
