import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import type {
  ContentsQuery,
  Frequencies,
  IndexedChunk,
  IndexedVersion,
  IndexEntry,
  IndexQuery,
  IndexState,
} from '../../services/search/search-index.ts'
import { type CandidateLists, packed } from './candidate-list.ts'
import { IndexFile } from './index-file.ts'
import { ReaderCaches } from './reader-caches.ts'
import { isBroken, isFull } from './sqlite-errors.ts'
import type { ThreadData, ThreadReply, ThreadRequest } from './threads/pool-thread.ts'

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

export type IndexResult = IndexState | CandidateLists | Frequencies | readonly IndexedChunk[] | boolean | undefined
export interface IndexOutcome {
  readonly result?: IndexResult
  readonly error?: string
  readonly isFull?: boolean
  readonly isLost?: boolean
}

const MAX_OPEN = 64

const { interrupted, data } = workerData as ThreadData
const dir = String(data)
const caches = new ReaderCaches()
/** One file per space. */
const files = new LRUCache<string, IndexFile>({ max: MAX_OPEN, dispose: (file) => file.close() })
let current = 0

class Interrupted extends Error {}
/** Nobody may take what is not there any more for an index in which nothing was found. */
class Lost extends Error {}
const ANSWERS: ReadonlySet<IndexCall['op']> = new Set(['search', 'frequencies', 'contents'])

function checkpoint(): void {
  if (Atomics.load(interrupted, 0) === current) throw new Interrupted('nobody waits for this call any more')
}

const pathOf = (spaceId: string): string => join(dir, `${spaceId}.sqlite`)

async function fileOf(spaceId: string, { create = false, isAnswer = false }): Promise<IndexFile | undefined> {
  const known = files.get(spaceId)
  if (known && (await known.isCurrent())) return known
  files.delete(spaceId)
  if (!create && !(await IndexFile.exists(pathOf(spaceId)))) {
    if (known && isAnswer) throw new Lost('its file was deleted')
    return undefined
  }
  const file = await IndexFile.open(pathOf(spaceId), { caches, checkpoint })
  files.set(spaceId, file)
  return file
}

async function madeAnew(spaceId: string): Promise<IndexFile | undefined> {
  files.delete(spaceId)
  await IndexFile.erase(pathOf(spaceId))
  return fileOf(spaceId, { create: true })
}

async function perform(spaceId: string, call: IndexCall): Promise<IndexResult> {
  if (call.op === 'drop') {
    files.delete(spaceId)
    await IndexFile.erase(pathOf(spaceId))
    return undefined
  }
  const found = await fileOf(spaceId, { create: call.op === 'reset', isAnswer: ANSWERS.has(call.op) })
  const file = call.op === 'reset' && found?.hasOtherLayout() ? await madeAnew(spaceId) : found
  if (call.op === 'state') return file?.state()
  if (call.op === 'search') return packed(file?.search(call.query) ?? { dense: [], lexical: [] })
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

async function answer(spaceId: string, call: IndexCall): Promise<IndexOutcome> {
  try {
    return { result: await perform(spaceId, call).catch((error: unknown) => afterBreak(error, spaceId, call)) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { error: message, isFull: isFull(error), isLost: error instanceof Lost }
  }
}

/** Deletes a broken file; the index service builds it anew from Postgres. */
async function afterBreak(error: unknown, spaceId: string, call: IndexCall): Promise<IndexResult> {
  if (!isBroken(error)) throw error
  files.delete(spaceId)
  await IndexFile.erase(pathOf(spaceId))
  if (ANSWERS.has(call.op)) throw new Lost(`its file was damaged: ${String(error)}`)
  return perform(spaceId, call)
}

async function serve({ id, key, call }: ThreadRequest): Promise<void> {
  current = id
  const reply: ThreadReply = { id, result: await answer(key, call as IndexCall) }
  parentPort?.postMessage(reply)
}

parentPort?.on('message', (request: ThreadRequest) => void serve(request))
