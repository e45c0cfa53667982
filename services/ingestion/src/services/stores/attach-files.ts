import type { Attributes } from '@youworker/contracts/documents/attribute-filter'
import { AppError } from '@youworker/contracts/errors'
import { isFileMime, READABLE_KINDS } from '@youworker/contracts/file-types'
import { LIMITS } from '@youworker/contracts/limits'
import { type CollectionRow, type DocumentRow, NOT_READ } from '@youworker/database/owners/ingestion/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { newId } from '@youworker/runtime/id'
import type { NewRunFile } from '../../repositories/run-repository.ts'
import type { NewStoreFile } from '../../repositories/stores/store-file-repository.ts'
import type { IngestionRepositories } from '../../unit-of-work.ts'
import { queueOf, RUN_KIND } from '../runs/run-starter.ts'
import { noFile } from './file-service.ts'
import { noStore } from './store-access.ts'
import { sealAttributes } from './store-view.ts'

export interface FileToAttach {
  readonly file_id: string
  readonly attributes?: Attributes | undefined
}

interface Attaching {
  readonly files: readonly FileToAttach[]
  readonly user_id: string
  readonly sealer: SpaceSealer
}

/** Files of one store that were put into it. Those that only have its label are not counted. */
const MAX_FILES = 10_000

type Reading = Pick<NewStoreFile, 'run_id' | 'run_index'>

/**
 * Puts documents of its locked space into a locked store, and begins runs for those that nobody has read or is reading. Returns the ids of these runs.
 * Throws `DOCUMENT_NOT_FOUND`.
 */
export async function attachFiles(
  repos: IngestionRepositories,
  store: CollectionRow,
  { files, user_id, sealer }: Attaching,
): Promise<string[]> {
  const { id: collection_id, space_id } = store
  const wanted = new Map(files.map((file) => [file.file_id, file.attributes ?? {}]))
  if (wanted.size === 0) return []
  const documents = await repos.storeFiles.lockDocuments(space_id, [...wanted.keys()])
  if (documents.length !== wanted.size) throw noFile()
  const unread = documents.filter((document) => document.pipeline === NOT_READ && refusalOf(document) === null)
  const reading = await repos.storeFiles.beingRead(
    space_id,
    unread.map(({ id }) => id),
  )
  const { runs, begun } = await beginRuns(
    repos,
    store,
    user_id,
    unread.filter(({ id }) => !reading.has(id)),
  )
  const rows = documents.map((document): NewStoreFile => {
    const { id: document_id } = document
    const none: Reading = { run_id: null, run_index: null }
    const attributes = sealAttributes(sealer, collection_id, document_id, wanted.get(document_id) ?? {})
    const run = begun.get(document_id) ?? reading.get(document_id) ?? none
    return { collection_id, document_id, space_id, user_id, ...run, refused: refusalOf(document), attributes }
  })
  await repos.storeFiles.put(rows)
  if ((await repos.storeFiles.count(store)) > MAX_FILES)
    throw new AppError('VALIDATION_ERROR', `A vector store takes at most ${MAX_FILES} files; use another one`)
  await repos.storeFiles.label(
    store,
    documents.filter((document) => document.user_id === user_id).map(({ id }) => id),
  )
  return runs
}

/** The space before the store and its documents, in the order of the ingester, so that they cannot deadlock. */
export async function lockStore(
  repos: IngestionRepositories,
  { id, space_id }: Pick<CollectionRow, 'id' | 'space_id'>,
): Promise<CollectionRow> {
  const { erased_at } = await repos.index.next(space_id)
  const store = await repos.stores.lock(id)
  if (erased_at !== null || !store) throw noStore()
  return store
}

async function beginRuns(
  repos: IngestionRepositories,
  { space_id: target_space_id }: CollectionRow,
  user_id: string,
  documents: readonly DocumentRow[],
): Promise<{ runs: string[]; begun: Map<string, Reading> }> {
  const runs: string[] = []
  const begun = new Map<string, Reading>()
  const group_id = target_space_id === user_id ? null : target_space_id
  for (let at = 0; at < documents.length; at += LIMITS.runFiles) {
    const some = documents.slice(at, at + LIMITS.runFiles)
    const id = newId()
    const job = { id, kind: RUN_KIND, user_id, space_id: target_space_id, payload: { run_id: id } }
    await repos.jobs.add({ ...job, queue_key: queueOf({ target_space_id, user_id }), progress_total: some.length })
    // The documents keep the labels that they have.
    const unlabelled = { collection: null, collection_id: null }
    const run = { id, space_id: user_id, user_id, target_space_id, tags: [], ...unlabelled, group_id, is_private: false }
    await repos.runs.add(run, some.map(asRunFile))
    for (const [run_index, { id: document_id }] of some.entries()) begun.set(document_id, { run_id: id, run_index })
    runs.push(id)
  }
  return { runs, begun }
}

/** Why a file cannot be read at all. Its type was told by its content when it came. */
function refusalOf({ pipeline, bytes_size, mime }: DocumentRow): string | null {
  if (pipeline !== NOT_READ) return null
  if (bytes_size === 0) return 'the file is empty'
  return isFileMime(mime) ? null : `the file is none of the kinds that are read: ${READABLE_KINDS}`
}

function asRunFile(document: DocumentRow, index: number): NewRunFile {
  const { id: document_id, path, uri, mime, bytes_size: size_bytes, sha256, blob_id, created_at } = document
  const timeline = [{ step: 'fetched', at: created_at, duration_ms: 0, attempt: 0 } as const]
  const waiting = { status: 'pending', stage: 'waiting', percent: 0, error: null } as const
  return { index, document_id, path, uri, mime, size_bytes, sha256, blob_id, timeline, ...waiting }
}
