/**
 * All that decides how a text is cut, but for the configured sizes, as part of the pipeline version: a document of another version is
 * cut again at its next upload. Raise `version` when the code gives other chunks for the same text. Lengths are UTF-16 units.
 */
export const CHUNKING = {
  version: 2,
  maxChunk: 2_600,
  /** Keeps a chunk below 8 KiB whatever its script. */
  maxUnit: 1_000,
  /** Share of a chunk that the repeated header of a table may take. */
  maxHeader: 0.35,
} as const
