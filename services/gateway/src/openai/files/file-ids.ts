import { Id } from '@youworker/contracts/common'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'

/** All ids are those of our documents, collections and batches, so that nothing else is stored for them. */
export const fileIdOf = (documentId: string): string => `file-${documentId}`

/** Throws `DOCUMENT_NOT_FOUND` for what no file can have as its id. */
export const documentIdOf = (file: string): string =>
  idBehind('file-', file) ?? missing('DOCUMENT_NOT_FOUND', 'There is no such file among yours; GET /v1/files lists them')

export const storeIdOf = (collectionId: string): string => `vs_${collectionId}`
export const batchIdOf = (batchId: string): string => `vsfb_${batchId}`

/** Throws `COLLECTION_NOT_FOUND` for what no vector store can have as its id. */
export const collectionIdOf = (store: string): string =>
  idBehind('vs_', store) ??
  missing('COLLECTION_NOT_FOUND', 'There is no such vector store among yours; GET /v1/vector_stores lists them')

/** Throws `COLLECTION_NOT_FOUND` for what no batch can have as its id. */
export const idOfBatch = (batch: string): string =>
  idBehind('vsfb_', batch) ?? missing('COLLECTION_NOT_FOUND', 'There is no such batch of files in this vector store')

function idBehind(prefix: string, id: string): string | undefined {
  return id.startsWith(prefix) ? Id.safeParse(id.slice(prefix.length)).data : undefined
}

function missing(code: ErrorCode, message: string): never {
  throw new AppError(code, message)
}

/** In whole seconds since 1970. */
export const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1_000)
