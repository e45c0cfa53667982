interface SamplerOptions {
  readonly windowMs: number
  /** Most kinds of one group in a window. */
  readonly perGroup: number
  /** Most kinds of all groups in a window. */
  readonly total: number
  readonly now?: () => number
}

/** Lets the first of each kind through in every window of time, so that a flood of the same is seen and costs nothing. */
export class Sampler {
  readonly #options: SamplerOptions
  readonly #now: () => number
  readonly #seen = new Set<string>()
  readonly #counts = new Map<string, number>()
  #endsAt = 0

  constructor(options: SamplerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Whether this window lets nothing more through. */
  get isFull(): boolean {
    return this.#seen.size >= this.#options.total
  }

  take(group: string, kind: string): boolean {
    this.#renew()
    const { perGroup } = this.#options
    const key = JSON.stringify([group, kind])
    const count = this.#counts.get(group) ?? 0
    if (this.#seen.has(key) || count >= perGroup || this.isFull) return false
    this.#seen.add(key)
    this.#counts.set(group, count + 1)
    return true
  }

  #renew(): void {
    const now = this.#now()
    if (now < this.#endsAt && now >= this.#endsAt - this.#options.windowMs) return
    this.#endsAt = now + this.#options.windowMs
    this.#seen.clear()
    this.#counts.clear()
  }
}
