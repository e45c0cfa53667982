const OPENING = /^\[\d{0,6}$/
const COMPLETE = /^\[\d{1,6}\]$/

/**
 * Removes from a stream of text each `[n]` that is no hit of the run. An unfinished `[…` is held back until it can be
 * decided. In code (between backticks) brackets mean something else and stay.
 */
export class CitationFilter {
  readonly #isHit: (index: number) => boolean
  #held = ''
  /** Number of backticks that began the current code; 0 outside of code. */
  #code = 0
  #ticks = 0

  constructor(isHit: (index: number) => boolean) {
    this.#isHit = isHit
  }

  /** Returns the text that can be shown now. */
  push(text: string): string {
    let shown = ''
    for (const char of text) shown += this.#take(char)
    return shown
  }

  /** Returns the text that is still held back; for the end of the stream. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }

  whole(text: string): string {
    return this.push(text) + this.end()
  }

  /** Continues behind text that was shown before. */
  resume(shown: string): void {
    for (const char of shown) this.#track(char)
    this.#held = ''
  }

  #take(char: string): string {
    if (this.#held !== '') return this.#extend(char)
    this.#track(char)
    if (char !== '[' || this.#code > 0) return char
    this.#held = char
    return ''
  }

  #extend(char: string): string {
    const candidate = this.#held + char
    if (OPENING.test(candidate)) {
      this.#held = candidate
      return ''
    }
    const before = this.end()
    if (!COMPLETE.test(candidate)) return before + this.#take(char)
    const digits = candidate.slice(1, -1)
    return digits === String(Number(digits)) && this.#isHit(Number(digits)) ? candidate : ''
  }

  #track(char: string): void {
    if (char === '`') {
      this.#ticks += 1
      return
    }
    if (this.#ticks > 0) {
      if (this.#code === 0) this.#code = this.#ticks
      else if (this.#code === this.#ticks) this.#code = 0
      this.#ticks = 0
    }
    // Inline code does not span lines: a stray backtick ends there.
    if (char === '\n' && this.#code < 3) this.#code = 0
  }
}
