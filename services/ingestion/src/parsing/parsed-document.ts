/** Decides how a block that is too long for a passage is cut. `table`: between rows; `code`: between lines; else after sentences. */
export type BlockKind = 'prose' | 'table' | 'code'

export interface SpokenTime {
  readonly start: number
  readonly end: number
}

/** A stretch of `ParsedDocument.text`, such as a paragraph or a table, that belongs under one heading and on one page. */
export interface ParsedBlock {
  readonly text: string
  /** Offsets into the document's text, in UTF-16 units: `text === document.text.slice(start, end)`. */
  readonly start: number
  readonly end: number
  /** From 1; only for paged formats. */
  readonly page?: number
  /** Where in a recording it is said, in seconds. */
  readonly time?: SpokenTime
  /** Headings from the document's top to here. */
  readonly title_path: readonly string[]
  /** Prose without it. */
  readonly kind?: BlockKind
  /** What every part of a table that is cut begins with: the row with the names of its columns. */
  readonly header?: string
}

export interface ParsedDocument {
  readonly title: string | undefined
  readonly text: string
  readonly blocks: readonly ParsedBlock[]
}
