/** A service refuses requests beyond a few hundred at a time, those of others among them. */
const MAX_READS = 64
const MAX_OF_USER = 8

interface Waiting {
  readonly userId: string
  readonly begin: () => void
}

/**
 * Bounds how many pages of run logs are read at once: when all streams of a gateway that stopped come back, or when one user has many.
 * Those that wait take turns in the order in which they came, but a user who has as many as one may have.
 */
export class LogReads {
  #running = 0
  readonly #ofUser = new Map<string, number>()
  readonly #waiting: Waiting[] = []

  async read<T>(userId: string, work: () => Promise<T>): Promise<T> {
    if (!this.#tryBegin(userId)) await new Promise<void>((begin) => this.#waiting.push({ userId, begin }))
    try {
      return await work()
    } finally {
      this.#end(userId)
    }
  }

  #tryBegin(userId: string): boolean {
    const mine = this.#ofUser.get(userId) ?? 0
    if (this.#running >= MAX_READS || mine >= MAX_OF_USER) return false
    this.#running += 1
    this.#ofUser.set(userId, mine + 1)
    return true
  }

  #end(userId: string): void {
    this.#running -= 1
    const mine = (this.#ofUser.get(userId) ?? 0) - 1
    if (mine > 0) this.#ofUser.set(userId, mine)
    else this.#ofUser.delete(userId)
    const next = this.#waiting.findIndex((waiting) => this.#tryBegin(waiting.userId))
    if (next >= 0) this.#waiting.splice(next, 1)[0]?.begin()
  }
}
