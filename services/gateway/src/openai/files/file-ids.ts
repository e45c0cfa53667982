import { Id } from '@youworker/contracts/common'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'

/** All ids are those of our documents, collections and batches, so that nothing else is stored for them. */
export const fileIdOf = (documentId: string): string => `file-${documentId}`

/** Throws `DOCUMENT_NOT_FOUND` for what no file can have as its id. */
export const documentIdOf = (file: string): string =>
  idBehind('file-', file) ?? missing('DOCUMENT_NOT_FOUND', 'There is no such file among yours; GET /v1/files lists them')

function idBehind(prefix: string, id: string): string | undefined {
  return id.startsWith(prefix) ? Id.safeParse(id.slice(prefix.length)).data : undefined
}

function missing(code: ErrorCode, message: string): never {
  throw new AppError(code, message)
}

/** In whole seconds since 1970. */
export const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1_000)
