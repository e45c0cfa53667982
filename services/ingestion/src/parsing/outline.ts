import { PARSING } from './parsing-parameters.ts'
import type { ParsedBlock, ParsedDocument } from './parsed-document.ts'

type Extent = Pick<ParsedBlock, 'start' | 'end'>
type Details = Pick<ParsedBlock, 'page' | 'time' | 'kind' | 'header'>

interface OutlineHeading {
  readonly depth: number
  readonly title: string
}

/** Puts the stretches of a text under its headings, in the order of the text. */
export class Outline {
  readonly #blocks: Omit<ParsedBlock, 'text'>[] = []
  #path: OutlineHeading[] = []
  /** The last heading, as long as nothing has come below it. */
  #bare: (Extent & { readonly depth: number; readonly details: Details }) | undefined
  #title: string | undefined

  addHeading({ depth, title, start, end }: OutlineHeading & Extent, details: Details = {}): void {
    if (this.#bare && depth <= this.#bare.depth) this.#keepBareHeading()
    this.#path = [...this.#path.filter((heading) => heading.depth < depth), { depth, title }]
    this.#title ??= title || undefined
    this.#bare = { depth, start, end, details }
    // What does not fit into the title path would be lost otherwise.
    if (end - start > PARSING.maxHeading) this.#keepBareHeading()
  }

  addContent({ start, end }: Extent, details: Details = {}): void {
    this.#bare = undefined
    this.#add({ start, end }, details)
  }

  /** A heading that is not part of the text. */
  enter({ depth, title }: OutlineHeading): void {
    this.leave(depth)
    this.#path = [...this.#path, { depth, title }]
  }

  /** What follows is not below the headings of this depth and deeper ones. */
  leave(depth: number): void {
    this.#keepBareHeading()
    this.#path = this.#path.filter((heading) => heading.depth < depth)
  }

  /** `text` is what the offsets refer to. */
  finish(text: string): ParsedDocument {
    this.#keepBareHeading()
    const blocks = this.#blocks.map((block) => ({ text: text.slice(block.start, block.end), ...block }))
    return { title: this.#title, text, blocks }
  }

  /** A heading with nothing under it is content of its own. */
  #keepBareHeading(): void {
    const bare = this.#bare
    this.#bare = undefined
    if (bare) this.#add({ start: bare.start, end: bare.end }, bare.details)
  }

  /** Below headings of a document of its own, which is part of this one. */
  addBelow(titles: readonly string[], extent: Extent, details: Details): void {
    this.#bare = undefined
    this.#add(extent, details, titles)
  }

  #add(extent: Extent, details: Details, more: readonly string[] = []): void {
    const titles = [...this.#path.map(({ title }) => title), ...more].filter((title) => title !== '')
    this.#blocks.push({ ...extent, title_path: titles, ...details })
  }
}
