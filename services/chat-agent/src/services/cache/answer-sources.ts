import type { EndedToolCall } from '../tools/tool-call.ts'

/** What the tool calls of a run say about whether its answer may be given again. */
export class AnswerSources {
  readonly #spaces = new Set<string>()
  #isKnown = true

  add({ status, result }: EndedToolCall): void {
    const searched = status === 'success' ? result?.searched : undefined
    if (!searched) this.#isKnown = false
    for (const space of searched ?? []) this.#spaces.add(space)
  }

  /** The spaces in which it was searched; `undefined` when something else was done, or not all of it is known. */
  get spaces(): ReadonlySet<string> | undefined {
    return this.#isKnown ? this.#spaces : undefined
  }
}
