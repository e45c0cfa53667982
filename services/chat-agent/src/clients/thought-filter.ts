import type { ModelChunk } from '../services/models/model-port.ts'

const OPEN = '<think>'
const CLOSE = '</think>'

/**
 * Takes what a model thinks out of its text: some servers leave it there, between the marks of the model, before the answer. A text that
 * begins otherwise is left as it is.
 */
export class ThoughtFilter {
  #isThinking = false
  #hasThought = false
  #isOver = false
  /** What may be the beginning of a mark. */
  #held = ''

  /** All that follows is the answer. */
  get isOver(): boolean {
    return this.#isOver
  }

  of(chunk: ModelChunk): ModelChunk {
    if (this.#isOver) return chunk
    const isLast = chunk.finish !== undefined || chunk.usage !== undefined || chunk.tool_calls.length > 0
    const text = this.#held + chunk.text
    this.#held = ''
    const [thought, answer] = this.#split(text, isLast)
    return { ...chunk, text: answer, thinking: chunk.thinking + thought }
  }

  #split(text: string, isLast: boolean): readonly [thought: string, answer: string] {
    if (this.#hasThought) {
      const answer = text.trimStart()
      this.#isOver = answer !== ''
      return ['', answer]
    }
    return this.#isThinking ? this.#splitThought(text, isLast) : this.#begin(text, isLast)
  }

  #begin(text: string, isLast: boolean): readonly [thought: string, answer: string] {
    const begun = text.trimStart()
    if (!isLast && OPEN.startsWith(begun)) {
      this.#held = text
      return ['', '']
    }
    this.#isThinking = begun.startsWith(OPEN)
    this.#isOver = !this.#isThinking
    return this.#isThinking ? this.#splitThought(begun.slice(OPEN.length), isLast) : ['', text]
  }

  #splitThought(text: string, isLast: boolean): readonly [thought: string, answer: string] {
    const end = text.indexOf(CLOSE)
    if (end >= 0) {
      this.#hasThought = true
      const [, answer] = this.#split(text.slice(end + CLOSE.length), isLast)
      return [text.slice(0, end), answer]
    }
    const kept = isLast ? 0 : markBegun(text)
    this.#held = text.slice(text.length - kept)
    return [text.slice(0, text.length - kept), '']
  }
}

/** How many of the last characters of a text are the beginning of the closing mark. */
function markBegun(text: string): number {
  for (let length = Math.min(CLOSE.length - 1, text.length); length > 0; length -= 1)
    if (CLOSE.startsWith(text.slice(-length))) return length
  return 0
}
