import type { Difference } from '@youworker/contracts/documents/index-check'
import { AppError } from '@youworker/contracts/errors'
import type { ExpectedChunk } from '../../repositories/check-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { EmbeddingService } from './embedding-service.ts'
import type { IndexedChunk, SearchIndex } from './search-index.ts'

interface ComparedParts {
  readonly uow: IngestionUnitOfWork
  readonly index: SearchIndex
  readonly embeddings: Pick<EmbeddingService, 'model'>
}

export interface FoundDifferences {
  readonly counts: ReadonlyMap<Difference['kind'], number>
  readonly staleChunks: readonly string[]
  readonly orphanVectors: readonly string[]
  readonly orphanFiles: readonly string[]
  readonly isIndexWrong: boolean
}

const PAGE = 1_000
const FIRST = '00000000-0000-0000-0000-000000000000'
const TRIES = 3

/** Compares again when the space has changed meanwhile. */
export async function differencesOf(parts: ComparedParts, spaceId: string, signal: AbortSignal): Promise<FoundDifferences> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const before = await seqOf(parts, spaceId)
    const [rows, entries] = [await compareRows(parts, spaceId), await compareIndex(parts, spaceId, signal)]
    if ((await seqOf(parts, spaceId)) !== before) continue
    const { staleChunks, orphanVectors, orphanFiles } = rows
    const counts = new Map([...rows.counts, ...entries].filter(([, count]) => count > 0))
    return { counts, staleChunks, orphanVectors, orphanFiles, isIndexWrong: [...entries.values()].some((count) => count > 0) }
  }
  throw new AppError('SERVICE_UNAVAILABLE', 'Documents of a space change all the time; check again later', { retryAfter: 10 })
}

async function seqOf({ uow, index }: ComparedParts, spaceId: string): Promise<string> {
  const [state] = await uow.in([spaceId]).read((repos) => repos.index.inUse([spaceId]))
  const file = await index.state(spaceId)
  return `${state?.seq} ${file?.seq}`
}

async function compareRows({ uow, embeddings }: ComparedParts, spaceId: string) {
  return uow.inWithDeleted([spaceId]).read(async ({ checks }) => {
    const [staleChunks, orphanVectors, orphanFiles, incomplete, damaged, missing] = await Promise.all([
      checks.staleChunks(spaceId),
      checks.orphanVectors(spaceId),
      checks.orphanFiles(spaceId),
      checks.incomplete(spaceId),
      checks.damagedFiles(spaceId),
      checks.withoutVector(spaceId, embeddings.model, PAGE),
    ])
    const counts: ReadonlyMap<Difference['kind'], number> = new Map([
      ['stale_chunks', staleChunks.length],
      ['orphan_vectors', orphanVectors.length],
      ['orphan_files', orphanFiles.length],
      ['incomplete_documents', incomplete.length],
      ['damaged_files', damaged.length],
      ['missing_vectors', missing.length],
    ])
    return { counts, staleChunks, orphanVectors, orphanFiles }
  })
}

/** Reads both by the ids of passages, page by page. */
async function compareIndex(
  { uow, index }: ComparedParts,
  spaceId: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<Difference['kind'], number>> {
  const expected = pages((after) => uow.in([spaceId]).read(({ checks }) => checks.expected(spaceId, after, PAGE)))
  const indexed = pages((after) => index.contents(spaceId, { after, limit: PAGE }))
  const counts = { missing_entries: 0, orphan_entries: 0, wrong_generations: 0, entries_without_vector: 0 }
  let [want, have] = [await expected.next(), await indexed.next()]
  while (want || have) {
    signal.throwIfAborted()
    if (want && (!have || want.chunk_id < have.chunk_id)) {
      counts.missing_entries += 1
      want = await expected.next()
    } else if (have && (!want || have.chunk_id < want.chunk_id)) {
      counts.orphan_entries += 1
      have = await indexed.next()
    } else if (want && have) {
      if (want.generation !== have.generation || want.document_id !== have.document_id) counts.wrong_generations += 1
      else if (!have.has_vector) counts.entries_without_vector += 1
      ;[want, have] = [await expected.next(), await indexed.next()]
    }
  }
  return new Map(Object.entries(counts) as [keyof typeof counts, number][])
}

/** One after the other what is read in pages. */
function pages<T extends ExpectedChunk | IndexedChunk>(read: (after: string) => Promise<readonly T[]>) {
  let [page, at, after, isLast]: [readonly T[], number, string, boolean] = [[], 0, FIRST, false]
  return {
    async next(): Promise<T | undefined> {
      if (at === page.length && !isLast) {
        page = await read(after)
        at = 0
        isLast = page.length < PAGE
        after = page.at(-1)?.chunk_id ?? after
      }
      return page[at++]
    },
  }
}
