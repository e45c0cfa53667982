/** The file types that ingestion reads: MIME type by file extension. */
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

/** Extensions in lower case, with the dot. */
export const isFileMime = (mime: string): mime is FileMime => Object.values<string>(FILE_TYPES).includes(mime)

export const FILE_EXTENSIONS: readonly string[] = Object.keys(FILE_TYPES)

/** MIME type of an extension in any case; `undefined` when the type is not supported. */
export const mimeOfExtension = (extension: string): FileMime | undefined =>
  Object.entries(FILE_TYPES).find(([known]) => known === extension.toLowerCase())?.[1]
