/**
 * All that decides what text a file gives, as part of the pipeline version: a document of another version is read again at its next
 * upload. Raise `version` when the code, or a library that it uses, gives another result for the same file. Lengths are UTF-16 units.
 */
export const PARSING = {
  version: 5,
  /** A longer Markdown text keeps no headings. Its tree costs about 1 s and, in one part, 300 MB for each million units. */
  maxMarkdown: 10_000_000,
  /** A Markdown block that is longer than this, such as a table of 100,000 rows, ends the tree: plain paragraphs follow. */
  maxMarkdownBlock: 512_000,
  /** How much of a heading is searched for links and emphasis; the time for that grows faster than the length. */
  maxHeading: 1_000,
  /** The longest entry of a title path, and the longest title that a parser finds. */
  maxTitle: 200,
  /** The longest title of a document. */
  maxDocumentTitle: 300,
  /** Deeper values of JSON are shown whole. */
  maxJsonDepth: 8,
  /** Of all files within a file together. */
  maxInnerFiles: 2_000,
  /** Of an archive, pictures and folders among them. */
  maxEntries: 20_000,
  maxInnerBytes: 256 * 1024 ** 2,
  /** Files within files within a file. */
  maxInnerDepth: 4,
  /** Pages in which text is recognised, of one file: a page takes 1 to 3 s. */
  maxScans: 200,
  /** How many files within a file are named that could not be read. */
  maxNamed: 50,
} as const
