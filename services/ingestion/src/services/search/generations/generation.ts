import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@youworker/runtime/logger'
import type { GenerationRow } from '../../../repositories/generation-repository.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { FairSlots } from '../../runs/fair-slots.ts'
import { type Embedder, EmbeddingService } from '../embedding-service.ts'
import { IndexService } from '../index-service.ts'
import { EmbeddingTrust } from '../ranking/embedding-trust.ts'
import { Retrieval } from '../retrieval.ts'
import type { SearchIndex } from '../search-index.ts'

/** A search index with the model that made its vectors, and all that works on the two. A search uses one from its begin to its end. */
export interface Generation extends AsyncDisposable {
  readonly number: number
  readonly index: SearchIndex
  readonly embedder: Embedder
  readonly embeddings: EmbeddingService
  readonly indexing: IndexService
  readonly retrieval: Retrieval
  readonly trust: EmbeddingTrust
}

interface GenerationParts {
  readonly uow: IngestionUnitOfWork
  readonly index: SearchIndex
  readonly embedder: Embedder
  readonly turns: FairSlots
  readonly logger: Logger
  /** Whether another one is being filled, which will take its place. */
  readonly isReplaced: () => boolean
  readonly isBuilding: () => boolean
}

/** One that is being filled leaves so much of the time to others. In ms. */
const LONGEST_REST = 100

export function openGeneration(row: GenerationRow, parts: GenerationParts): Generation {
  const { uow, index, embedder, turns, logger, isReplaced, isBuilding } = parts
  const embeddings = new EmbeddingService(uow, embedder, { turns, vectors: row.vectors })
  const rest = async (ms: number) => {
    if (isBuilding()) await sleep(Math.min(ms, LONGEST_REST))
  }
  const indexing = new IndexService({ uow, index, embeddings, logger, terms: row.terms, mayLackVectors: isReplaced, rest })
  return {
    number: row.number,
    index,
    embedder,
    embeddings,
    indexing,
    retrieval: new Retrieval({ uow, index }),
    trust: new EmbeddingTrust(embedder),
    [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
  }
}
