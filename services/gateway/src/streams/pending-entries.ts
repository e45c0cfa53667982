import type { RunEntry } from '@youworker/contracts/agent/run-log'

/** `bytes`: as it was sent. */
interface Pending {
  readonly entry: RunEntry
  readonly bytes: number
}

/** In bytes as sent, and what each entry takes beside. */
const MAX_BYTES = 64 * 1024
const PER_ENTRY = 200

/** Live entries that cannot be written yet: a few, for all of them can be read from the log. */
export class PendingEntries {
  #entries: Pending[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Returns false when too many wait: then none is kept. */
  add(entry: RunEntry, bytes: number): boolean {
    this.#bytes += bytes + PER_ENTRY
    if (this.#bytes > MAX_BYTES) this.clear()
    else this.#entries.push({ entry, bytes })
    return this.#entries.length > 0
  }

  clear(): void {
    this.#entries = []
    this.#bytes = 0
  }

  /** All, lowest numbers first, which then wait no more. */
  take(): Pending[] {
    const taken = this.#entries.sort((a, b) => a.entry.n - b.entry.n)
    this.clear()
    return taken
  }
}
