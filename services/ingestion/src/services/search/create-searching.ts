import type { Sealer } from '@youworker/database/sealing/sealer'
import type { Logger } from '@youworker/runtime/logger'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { ErasureVerifier } from '../documents/document-erasure.ts'
import type { SharedWith, SpaceAccess, SpacesOfUser } from '../space-access.ts'
import { type Embedder, EmbeddingService, embeddingTurns } from './embedding-service.ts'
import { ExplainService } from './explain/explain-service.ts'
import { GenerationBuilder } from './generations/generation-builder.ts'
import { GenerationCleaner } from './generations/generation-cleaner.ts'
import { GenerationPlan } from './generations/generation-plan.ts'
import { Generations } from './generations/generations.ts'
import type { IndexAdapters } from './generations/index-adapter.ts'
import { IndexOperator } from './generations/index-operator.ts'
import { IndexChecker } from './index-check.ts'
import type { Reranker } from './rerank/reranker.ts'
import { SearchService } from './search-service.ts'

export interface SearchPorts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly spacesOf: SpacesOfUser
  readonly shared: SharedWith
  readonly embedderOf: (model: string) => Embedder
  /** Of the settings; with another one the search index is made anew. */
  readonly embedModel: string
  readonly adapters: IndexAdapters
  readonly reranker: Reranker | undefined
  readonly sealer: Sealer
  readonly logger: Logger
}

/** Wires what searches, and what keeps the indexes that are searched. */
export function createSearching(ports: SearchPorts) {
  const { uow, access, spacesOf, shared, embedderOf, embedModel: model, adapters, reranker, sealer, logger } = ports
  const plan = new GenerationPlan({ uow, adapters, model, logger })
  const generations = new Generations({ uow, adapters, embedderOf, plan, logger })
  const searches = new SearchService({ uow, access, generations, reranker, sealer, logger })
  return {
    embeddings: new EmbeddingService(uow, embedderOf(model), { turns: embeddingTurns() }),
    generations,
    searches,
    explainer: new ExplainService({ uow, access, spacesOf, shared, searches }),
    verifier: new ErasureVerifier({ uow, generations }),
    builder: new GenerationBuilder({ uow, adapters, generations, logger }),
    cleaner: new GenerationCleaner({ uow, adapters, logger }),
    operator: new IndexOperator({ uow, plan, generations }),
    checker: new IndexChecker({ uow, adapters, generations }),
  }
}
