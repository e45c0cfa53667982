import type { Document } from '@youworker/contracts/documents/documents'
import { AppError } from '@youworker/contracts/errors'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { SharedCollection } from '../../repositories/sharing/grant-repository.ts'

export const noDocument = () =>
  new AppError('DOCUMENT_NOT_FOUND', 'There is no such document among yours; GET /v1/documents lists them')

/** `shared`: what the caller was let into. */
export function toDocument(row: DocumentRow, shared: readonly SharedCollection[] = []): Document {
  const { id, uri, path, title, mime, bytes_size, source, tags, collection, group_id, is_private, path_hash } = row
  const { chunk_count, created_at, last_ingested_at } = row
  const names = { id, uri, path, title, mime, bytes_size, source, tags, collection, group_id, is_private, path_hash }
  const access = shared.find(({ space_id, name }) => space_id === row.space_id && name === collection)?.role
  const view = { ...names, chunk_count, created_at, last_ingested_at, ...deletionOf(row) }
  return access === undefined ? view : { ...view, access, group_id: null }
}

const deletionOf = ({ deleted_at, erase_after }: Pick<DocumentRow, 'deleted_at' | 'erase_after'>) =>
  deleted_at === null || erase_after === null ? {} : { deleted_at, restorable_until: erase_after }
