import type { Sealer } from '@youworker/database/sealer'
import type { Logger } from '@youworker/runtime/logger'
import type { IngestionUnitOfWork } from '../unit-of-work.ts'
import { BlobStore } from './blob-store.ts'
import { DocumentService } from './document-service.ts'
import { type Embedder, EmbeddingService } from './embedding-service.ts'
import { ErasureService } from './erasure-service.ts'
import { FileIngester } from './file-ingester.ts'
import { IndexService } from './index-service.ts'
import { RunProcessor } from './run-processor.ts'
import { RunService } from './run-service.ts'
import { RunStarter } from './run-starter.ts'
import type { SearchIndex } from './search-index.ts'
import { SearchService } from './search-service.ts'
import type { CheckSpace, SpaceAccess } from './space-access.ts'
import { UploadService } from './upload-service.ts'

interface ServicePorts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly sealer: Sealer
  readonly embedder: Embedder
  readonly index: SearchIndex
  readonly logger: Logger
  /** Makes workers look: for a new run, or for the wish to end one. */
  readonly wake: () => void
  readonly maxFileMb: number
  readonly chunks: { readonly tokens: number; readonly overlap: number }
}

/** The services over their ports: what a process serves and what tests call. */
export function createServices(ports: ServicePorts) {
  const { uow, access, checkSpace, sealer, embedder, index, logger, wake, maxFileMb, chunks } = ports
  const store = new BlobStore(uow, sealer)
  const embeddings = new EmbeddingService(uow, embedder)
  const level = new IndexService({ uow, index, embeddings, logger })
  const ingester = new FileIngester({ uow, store, embeddings, chunks })
  return {
    uploads: new UploadService({ uow, access, store, maxFileMb }),
    starter: new RunStarter({ uow, access, store, wake }),
    runs: new RunService({ uow, wake }),
    documents: new DocumentService({ uow, access, level }),
    searches: new SearchService({ uow, access, index, level, embedder, logger }),
    processor: new RunProcessor({ uow, ingester, index: level, checkSpace, logger }),
    erasure: new ErasureService({ uow, sealer, level, logger }),
  }
}
