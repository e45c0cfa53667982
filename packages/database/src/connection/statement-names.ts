const MAX_NAMED = 400
const MAX_SEEN = 2_000
const MAX_LENGTH = 8_000

/**
 * Names for prepared statements, by SQL text. A text earns its name the second time it is seen, so that statements made once
 * (lists of changing length) do not fill the connections; at most 400 are named.
 */
export class StatementNames {
  readonly #names = new Map<string, string>()
  #seen = new Set<string>()

  nameOf(sql: string): string | undefined {
    const name = this.#names.get(sql)
    if (name !== undefined || this.#names.size >= MAX_NAMED || sql.length > MAX_LENGTH) return name
    if (this.#seen.delete(sql)) {
      const fresh = `s${this.#names.size + 1}`
      this.#names.set(sql, fresh)
      return fresh
    }
    if (this.#seen.size >= MAX_SEEN) this.#seen = new Set()
    this.#seen.add(sql)
    return undefined
  }
}
