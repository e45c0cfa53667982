import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import type {
  Candidates,
  Frequencies,
  ContentsQuery,
  IndexedChunk,
  IndexedVersion,
  IndexEntry,
  IndexQuery,
  IndexState,
} from '../../services/search/search-index.ts'
import { IndexFile } from './index-file.ts'

export type IndexCall =
  | { readonly op: 'state' }
  | { readonly op: 'reset'; readonly start: Pick<IndexState, 'epoch' | 'model'> }
  | { readonly op: 'add'; readonly base: IndexState; readonly entries: readonly IndexEntry[] }
  | { readonly op: 'advance'; readonly base: IndexState; readonly seq: number; readonly versions: readonly IndexedVersion[] }
  | { readonly op: 'search'; readonly query: IndexQuery }
  | { readonly op: 'frequencies'; readonly terms: readonly string[] }
  | { readonly op: 'contents'; readonly query: ContentsQuery }
  | { readonly op: 'scrub' }
  | { readonly op: 'drop' }

export type IndexResult = IndexState | Candidates | Frequencies | readonly IndexedChunk[] | boolean | undefined
export type IndexRequest = { readonly id: number; readonly space_id: string; readonly call: IndexCall }
export type IndexReply = { readonly id: number } & (
  | { readonly result: IndexResult }
  | { readonly error: string; readonly isFull: boolean }
)

const MAX_OPEN = 64
const NOTHING: Candidates = { dense: [], lexical: [] }

// One file per space.
const dir = String(workerData)
const files = new LRUCache<string, IndexFile>({ max: MAX_OPEN, dispose: (file) => file.close() })

const pathOf = (spaceId: string): string => join(dir, `${spaceId}.sqlite`)

async function fileOf(spaceId: string, create: boolean): Promise<IndexFile | undefined> {
  const known = files.get(spaceId)
  if (known && (await known.isCurrent())) return known
  files.delete(spaceId)
  if (!create && !(await IndexFile.exists(pathOf(spaceId)))) return undefined
  const file = await IndexFile.open(pathOf(spaceId))
  files.set(spaceId, file)
  return file
}

async function perform(spaceId: string, call: IndexCall): Promise<IndexResult> {
  if (call.op === 'drop') {
    files.delete(spaceId)
    await IndexFile.erase(pathOf(spaceId))
    return undefined
  }
  const file = await fileOf(spaceId, call.op === 'reset')
  if (call.op === 'state') return file?.state()
  if (call.op === 'search') return file?.search(call.query) ?? NOTHING
  if (call.op === 'frequencies') return file?.frequencies(call.terms) ?? { chunks: 0, counts: call.terms.map(() => 0) }
  if (call.op === 'contents') return file?.contents(call.query) ?? []
  if (call.op === 'reset' || call.op === 'scrub') {
    if (call.op === 'reset') file?.reset(call.start)
    else file?.scrub()
    return undefined
  }
  if (call.op === 'add') return file?.add(call.base, call.entries) ?? false
  return file?.advance(call.base, call.seq, call.versions) ?? false
}

/** Deletes a broken file; the index service builds it anew from Postgres. */
async function answer({ id, space_id, call }: IndexRequest): Promise<IndexReply> {
  try {
    return { id, result: await perform(space_id, call).catch((error: unknown) => afterBreak(error, space_id, call)) }
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error), isFull: IndexFile.isFull(error) }
  }
}

async function afterBreak(error: unknown, spaceId: string, call: IndexCall): Promise<IndexResult> {
  if (!IndexFile.isBroken(error)) throw error
  files.delete(spaceId)
  await IndexFile.erase(pathOf(spaceId))
  return perform(spaceId, call)
}

let last: Promise<void> = Promise.resolve()
parentPort?.on('message', (request: IndexRequest) => {
  last = last.then(async () => parentPort?.postMessage(await answer(request)))
})
