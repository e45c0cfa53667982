import type { ParsedBlock, ParsedDocument } from '../parsed-document.ts'

const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$/
const SETEXT = /^ {0,3}(=+|-+)[ \t]*$/
const FENCE = /^ {0,3}(`{3,}|~{3,})/
/** No heading is longer; the patterns above and {@link plain} take time that grows with the square of a line's length. */
const MAX_HEADING = 1_000
const FRONT_MATTER = /^---\r?\n[\s\S]*?\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/

interface Heading {
  readonly level: number
  readonly title: string
}

/** Paragraphs under their headings (CommonMark 0.31: ATX and setext headings, fenced code is left alone). */
export function parseMarkdown(text: string): ParsedDocument {
  const reader = new MarkdownReader(text)
  const bodyStart = FRONT_MATTER.exec(text)?.[0].length ?? 0
  for (const line of linesOf(text, bodyStart)) reader.read(line)
  return reader.finish()
}

interface Line {
  readonly text: string
  readonly start: number
  readonly end: number
}

function* linesOf(text: string, from: number): Generator<Line> {
  let start = from
  while (start < text.length) {
    const newline = text.indexOf('\n', start)
    const next = newline === -1 ? text.length : newline + 1
    const end = newline === -1 ? text.length : newline > start && text[newline - 1] === '\r' ? newline - 1 : newline
    yield { text: text.slice(start, end), start, end }
    start = next
  }
}

interface Paragraph {
  readonly start: number
  readonly end: number
  readonly isOneLine: boolean
}

class MarkdownReader {
  readonly #text: string
  readonly #blocks: ParsedBlock[] = []
  #path: Heading[] = []
  #paragraph: Paragraph | undefined
  #fence: string | undefined
  #bareHeading: (Line & { readonly heading: Heading }) | undefined
  #title: string | undefined

  constructor(text: string) {
    this.#text = text
  }

  read(line: Line): void {
    const fence = FENCE.exec(line.text)?.[1]
    if (this.#fence !== undefined) {
      if (fence?.startsWith(this.#fence)) this.#fence = undefined
      this.#extendParagraph(line)
      return
    }
    if (fence !== undefined) this.#fence = fence
    const atx = fence === undefined && line.text.length <= MAX_HEADING ? ATX.exec(line.text) : null
    const setext = this.#paragraph?.isOneLine ? SETEXT.exec(line.text) : null
    if (atx) {
      this.#endParagraph()
      this.#open({ level: atx[1]?.length ?? 1, title: plain(atx[2] ?? '') }, line)
    } else if (setext && this.#paragraph) {
      const { start, end } = this.#paragraph
      this.#paragraph = undefined
      const titleLine = { text: this.#text.slice(start, end), start, end }
      this.#open({ level: setext[1]?.startsWith('=') ? 1 : 2, title: plain(titleLine.text) }, titleLine)
    } else if (line.text.trim() === '') {
      this.#endParagraph()
    } else {
      this.#extendParagraph(line)
    }
  }

  finish(): ParsedDocument {
    this.#endParagraph()
    this.#keepBareHeading()
    return { title: this.#title, text: this.#text, blocks: this.#blocks }
  }

  #open(heading: Heading, line: Line): void {
    const parentOpened = this.#bareHeading !== undefined && heading.level > this.#bareHeading.heading.level
    if (!parentOpened) this.#keepBareHeading()
    this.#path = [...this.#path.filter(({ level }) => level < heading.level), heading]
    this.#bareHeading = { ...line, heading }
    this.#title ??= heading.title || undefined
  }

  /** A heading with nothing under it is content of its own. */
  #keepBareHeading(): void {
    const bare = this.#bareHeading
    this.#bareHeading = undefined
    if (bare) this.#add(bare.start, bare.end)
  }

  #extendParagraph({ start, end }: Line): void {
    this.#paragraph = { start: this.#paragraph?.start ?? start, end, isOneLine: this.#paragraph === undefined }
  }

  #endParagraph(): void {
    const paragraph = this.#paragraph
    this.#paragraph = undefined
    if (!paragraph) return
    this.#bareHeading = undefined
    this.#add(paragraph.start, paragraph.end)
  }

  #add(start: number, end: number): void {
    const title_path = this.#path.map(({ title }) => title).filter((title) => title !== '')
    this.#blocks.push({ text: this.#text.slice(start, end), start, end, title_path })
  }
}

/** A heading's words without links and emphasis. */
const plain = (markdown: string): string =>
  markdown
    .slice(0, MAX_HEADING)
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[*_`]+/g, '')
    .trim()
    .slice(0, 200)
