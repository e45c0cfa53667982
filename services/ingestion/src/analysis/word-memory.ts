const MOST_WORDS = 20_000
/** Longer ones do not come again. */
const LONGEST = 64
/** V8 keeps the whole text of which a longer word was cut. */
const LONGEST_COPIED = 12

/** What was made of words, by language: words are few and come again and again. Forgets those that did not come for long. */
export class WordMemory<T> {
  #young = new Map<string, Map<string, T>>()
  #old = new Map<string, Map<string, T>>()
  #size = 0

  get(language: string, word: string): T | undefined {
    const young = this.#young.get(language)?.get(word)
    if (young !== undefined) return young
    const old = this.#old.get(language)?.get(word)
    return old === undefined ? undefined : this.set(language, word, old)
  }

  set(language: string, word: string, value: T): T {
    if (word.length > LONGEST) return value
    if (this.#size >= MOST_WORDS) {
      this.#old = this.#young
      this.#young = new Map()
      this.#size = 0
    }
    const words = this.#young.get(language) ?? new Map<string, T>()
    this.#young.set(language, words.set(word.length <= LONGEST_COPIED ? word : Array.from(word).join(''), value))
    this.#size += 1
    return value
  }
}
