import type { Difference, IndexCheck } from '@youworker/contracts/documents/index-check'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { differencesOf, type FoundDifferences } from './index-differences.ts'
import { embeddable } from './embedding-service.ts'
import type { Generation } from './generations/generation.ts'
import type { Generations } from './generations/generations.ts'
import type { IndexAdapters } from './generations/index-adapter.ts'
import { strayParts } from './generations/stray-parts.ts'

interface CheckParts {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  readonly generations: Generations
}

interface CheckInput {
  readonly repair: boolean
  readonly after?: string | undefined
}

/** One call works about so long, at least on one space. */
const MOST_MS = 4_000
const SPACES = 100
const TEXTS = 500

/**
 * Compares documents, chunks, vectors and files with each other and with the index that is searched, space by space, and repairs what
 * differs: what is too much is erased, what lacks is embedded again, and an index that differs is built anew. The first call also looks for
 * what indexes have of spaces that there are not. Root sees ids of spaces and counts.
 */
export class IndexChecker {
  readonly #parts: CheckParts

  constructor(parts: CheckParts) {
    this.#parts = parts
  }

  async check({ repair, after }: CheckInput, context: UserContext): Promise<IndexCheck> {
    const { uow, generations } = this.#parts
    await this.#asRoot(repair ? 'index.repair' : 'index.check', context)
    const until = performance.now() + MOST_MS
    const spaces = await uow.system().read(({ checks }) => checks.spaces(after, SPACES))
    const totals = { spaces: 0, documents: 0, chunks: 0 }
    const generation = await generations.active()
    const parts = { uow, ...generation }
    const differences: Difference[] = after === undefined ? await strayParts({ ...this.#parts, repair }) : []
    let last: string | undefined
    for (const space_id of spaces) {
      if (totals.spaces > 0 && performance.now() > until) break
      context.signal.throwIfAborted()
      const scope = uow.inWithDeleted([space_id])
      await generation.indexing.bringUpToDate([space_id])
      const found = await differencesOf(parts, space_id, context.signal)
      const isRepaired = repair && (await this.#repair(generation, space_id, found, context.signal))
      for (const [kind, count] of found.counts)
        differences.push({ space_id, kind, count, repaired: isRepaired && !LASTING.has(kind) })
      const { documents, chunks } = await scope.read(({ checks }) => checks.totals(space_id))
      totals.spaces += 1
      totals.documents += documents
      totals.chunks += chunks
      last = space_id
    }
    const isEnd = spaces.length < SPACES && last === spaces.at(-1)
    return { ...totals, differences, ...(isEnd || last === undefined ? {} : { next_after: last }) }
  }

  async #asRoot(action: string, context: UserContext): Promise<void> {
    const { caller } = context
    const outcome = caller.is_root ? ('allowed' as const) : ('denied' as const)
    const act = { actor_id: caller.user_id, action, outcome, target_type: 'search_index', target_id: null }
    await this.#parts.uow.in([]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, act, context))
    if (!caller.is_root) throw new AppError('NOT_AUTHORIZED', 'Only root may do this.')
  }

  async #repair(
    { embeddings, index, indexing }: Generation,
    spaceId: string,
    found: FoundDifferences,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { counts, staleChunks, orphanVectors, orphanFiles, isIndexWrong } = found
    if (counts.size === 0) return false
    const scope = this.#parts.uow.inWithDeleted([spaceId])
    await scope.write(async (repos) => {
      // The number of the space keeps ingestions from changing it meanwhile.
      await repos.index.next(spaceId)
      await repos.checks.deleteChunks(spaceId, staleChunks)
      await repos.embeddings.deleteUnused(spaceId, orphanVectors)
      await repos.blobs.delete(orphanFiles)
    })
    for (let texts = TEXTS; texts === TEXTS;) {
      const missing = await scope.read(({ checks }) => checks.withoutVector(spaceId, embeddings.model, TEXTS))
      texts = missing.length
      await embeddings.ensure(
        spaceId,
        missing.map((chunk) => ({ text: embeddable(chunk).text, text_hash: chunk.text_hash })),
        { write: (work) => scope.write(work), signal },
      )
    }
    if (isIndexWrong || counts.has('missing_vectors')) await index.drop(spaceId)
    await indexing.bringUpToDate([spaceId])
    return true
  }
}

/** Only their owner can repair them, by bringing the file again. */
const LASTING: ReadonlySet<Difference['kind']> = new Set(['incomplete_documents', 'damaged_files'])
