import { z } from 'zod'
import type { RunEntryBody } from './run-log.ts'

/** What the model thought without a break. `at`: where in the text of the answer, in UTF-16 units. `ended`: something came behind it. */
export const Thought = z.object({ at: z.number().int().min(0), text: z.string(), ended: z.boolean() })
export type Thought = z.infer<typeof Thought>

/** Collects them from the entries of a run, which must come in the order of their numbers. A call of the model begins a new one. */
export class Thoughts {
  readonly #all: Thought[] = []
  #at = 0

  get all(): readonly Readonly<Thought>[] {
    return this.#all
  }

  get text(): string {
    return this.#all.map(({ text }) => text).join('')
  }

  add(body: RunEntryBody): void {
    if (body.event === 'thinking') this.#think(body.data.text)
    else if (body.event === 'token') this.#end(this.#at + body.data.text.length)
    else if (body.event === 'rewind') this.#end(body.data.offset)
    else if (body.event === 'tool' || (body.event === 'status' && body.data.stage === 'thinking')) this.#end(this.#at)
  }

  #think(text: string): void {
    const last = this.#all.at(-1)
    if (last && !last.ended) last.text += text
    else this.#all.push({ at: this.#at, text, ended: false })
  }

  #end(at: number): void {
    this.#at = at
    const last = this.#all.at(-1)
    if (last) last.ended = true
  }
}
