import { LRUCache } from 'lru-cache'

const MAX_NAMED = 400
const MAX_SEEN = 2_000
const MAX_LENGTH = 8_000

/**
 * Names for prepared statements, by SQL text. A text gets its name the second time it is seen, so that statements made once
 * (lists of changing length) do not fill the connections. At most 400 are named and none is forgotten: every connection keeps
 * what it has prepared.
 */
export class StatementNames {
  readonly #names = new Map<string, string>()
  readonly #seen = new LRUCache<string, true>({ max: MAX_SEEN })

  nameOf(sql: string): string | undefined {
    const name = this.#names.get(sql)
    if (name !== undefined || this.#names.size >= MAX_NAMED || sql.length > MAX_LENGTH) return name
    if (!this.#seen.delete(sql)) {
      this.#seen.set(sql, true)
      return undefined
    }
    const fresh = `s${this.#names.size + 1}`
    this.#names.set(sql, fresh)
    return fresh
  }
}
