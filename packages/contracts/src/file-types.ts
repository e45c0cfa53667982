/** The kinds of file that ingestion reads: MIME type by the ending of the name. */
export const FILE_TYPES = {
  '.md': 'text/markdown',
  '.markdown': 'text/markdown',
  '.txt': 'text/plain',
  '.text': 'text/plain',
  '.html': 'text/html',
  '.htm': 'text/html',
  '.pdf': 'application/pdf',
} as const

export type FileMime = (typeof FILE_TYPES)[keyof typeof FILE_TYPES]

/** With the dot, lower case. */
export const FILE_EXTENSIONS: readonly string[] = Object.keys(FILE_TYPES)

/** `extension` in any case; `undefined` for one that is not read. */
export const mimeOfExtension = (extension: string): FileMime | undefined =>
  Object.entries(FILE_TYPES).find(([known]) => known === extension.toLowerCase())?.[1]
