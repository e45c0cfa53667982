interface Waiting {
  readonly resolve: (slot: Disposable) => void
  readonly reject: (reason: unknown) => void
  readonly signal: AbortSignal
  readonly stop: () => void
}

interface SlotOptions {
  readonly total: number
  /** Of one user, so that one with much to do leaves room for others. */
  readonly each: number
}

/** Bounds how much is done at the same time, and gives what is free to the users in turns, however much each has waiting. */
export class FairSlots {
  readonly #total: number
  readonly #each: number
  readonly #held = new Map<string, number>()
  /** The user whose turn is next is first. */
  readonly #waiting = new Map<string, Waiting[]>()
  #taken = 0

  constructor({ total, each }: SlotOptions) {
    this.#total = total
    this.#each = each
  }

  /** Rejects with the reason of the signal. */
  async take(user: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const waiting: Waiting = { resolve, reject, signal, stop: () => this.#stop(user, waiting) }
    signal.addEventListener('abort', waiting.stop, { once: true })
    this.#waiting.set(user, [...(this.#waiting.get(user) ?? []), waiting])
    this.#give()
    return promise
  }

  #give(): void {
    for (const [user, [next]] of this.#waiting) {
      if (this.#taken >= this.#total) return
      if (!next || (this.#held.get(user) ?? 0) >= this.#each) continue
      this.#remove(user, next)
      this.#count(user, 1)
      next.resolve(this.#slot(user))
      // Its next turn comes after those of the others.
      const rest = this.#waiting.get(user)
      if (rest && this.#waiting.delete(user)) this.#waiting.set(user, rest)
    }
  }

  #slot(user: string): Disposable {
    let isFree = false
    return {
      [Symbol.dispose]: () => {
        if (isFree) return
        isFree = true
        this.#count(user, -1)
        this.#give()
      },
    }
  }

  #count(user: string, change: number): void {
    this.#taken += change
    const held = (this.#held.get(user) ?? 0) + change
    if (held > 0) this.#held.set(user, held)
    else this.#held.delete(user)
  }

  #stop(user: string, waiting: Waiting): void {
    this.#remove(user, waiting)
    waiting.reject(waiting.signal.reason)
  }

  #remove(user: string, waiting: Waiting): void {
    waiting.signal.removeEventListener('abort', waiting.stop)
    const rest = (this.#waiting.get(user) ?? []).filter((other) => other !== waiting)
    if (rest.length > 0) this.#waiting.set(user, rest)
    else this.#waiting.delete(user)
  }
}
