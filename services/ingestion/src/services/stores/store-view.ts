import { Metadata } from '@youworker/contracts/common'
import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import type { FileCounts, FileStatus, StoreFile, VectorStore } from '@youworker/contracts/documents/vector-stores'
import type { CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { cutText } from '@youworker/runtime/text/text'
import { z } from 'zod'
import type { StoreFileRow } from '../../repositories/stores/store-file-repository.ts'
import type { StoreUse } from '../../repositories/stores/store-repository.ts'
import { fileName } from '../documents/document-path.ts'

/** What a client tells of a collection. `name`: when it is not the collection's, which no other one of its space has. */
const Facts = z.object({
  name: z.string().optional(),
  description: z.string().optional(),
  metadata: Metadata.default({}),
})
export type Facts = z.output<typeof Facts>

const MAX_ERROR = 500

const ofStore = (id: string) => ({ table: 'collections', id })
const ofFile = (storeId: string, documentId: string) => ({ table: 'store_files', id: `${storeId}/${documentId}` })

export const sealFacts = (sealer: SpaceSealer, id: string, facts: Facts): Buffer =>
  sealer.sealText(JSON.stringify(facts), ofStore(id))

export const openFacts = (sealer: SpaceSealer, { id, facts }: Pick<CollectionRow, 'id' | 'facts'>): Facts =>
  facts === null ? { metadata: {} } : Facts.parse(JSON.parse(sealer.openText(facts, ofStore(id))))

export const sealAttributes = (sealer: SpaceSealer, storeId: string, documentId: string, attributes: Attributes): Buffer | null =>
  Object.keys(attributes).length === 0 ? null : sealer.sealText(JSON.stringify(attributes), ofFile(storeId, documentId))

export const openAttributes = (sealer: SpaceSealer, storeId: string, documentId: string, sealed: Buffer | null): Attributes =>
  sealed === null ? {} : Attributes.parse(JSON.parse(sealer.openText(sealed, ofFile(storeId, documentId))))

export function countsOf(rows: readonly { readonly status: FileStatus; readonly files: number }[]): FileCounts {
  const of = (status: FileStatus) => rows.filter((row) => row.status === status).reduce((sum, { files }) => sum + files, 0)
  return { in_progress: of('in_progress'), completed: of('completed'), failed: of('failed'), cancelled: of('cancelled') }
}

export function toStore(row: CollectionRow, facts: Facts, uses: readonly StoreUse[], userId: string): VectorStore {
  const { id, space_id, expires_after, created_at, last_active_at } = row
  const own = uses.filter(({ collection_id }) => collection_id === id)
  return {
    id,
    group_id: space_id === userId ? null : space_id,
    name: facts.name ?? row.name,
    description: facts.description ?? null,
    metadata: facts.metadata,
    expires_after,
    created_at,
    last_active_at: last_active_at ?? created_at,
    file_counts: countsOf(own),
    usage_bytes: own.filter(({ status }) => status === 'completed').reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

export function toStoreFile(row: StoreFileRow, storeId: string, sealer: SpaceSealer): StoreFile {
  const { id, created_at, bytes_size, path, status } = row
  const attributes = openAttributes(sealer, storeId, id, row.attributes)
  return { id, store_id: storeId, created_at, bytes_size, name: fileName(path), status, error: errorOf(row), attributes }
}

function errorOf({ status, refused, error }: StoreFileRow): StoreFile['error'] {
  if (status !== 'failed') return null
  if (refused !== null) return { code: 'unsupported_file', message: cutText(refused, MAX_ERROR) }
  if (error !== null) return { code: 'invalid_file', message: cutText(error, MAX_ERROR) }
  return { code: 'server_error', message: 'The run that was to read it is gone; put the file into the store again' }
}
