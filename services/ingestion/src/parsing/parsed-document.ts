/** A stretch of `ParsedDocument.text`, usually a paragraph, that belongs under one heading and on one page. */
export interface ParsedBlock {
  readonly text: string
  /** Offsets into the document's text, in UTF-16 units: `text === document.text.slice(start, end)`. */
  readonly start: number
  readonly end: number
  /** From 1; only for paged formats. */
  readonly page?: number
  /** Headings from the document's top to here. */
  readonly title_path: readonly string[]
}

export interface ParsedDocument {
  readonly title: string | undefined
  readonly text: string
  readonly blocks: readonly ParsedBlock[]
}
