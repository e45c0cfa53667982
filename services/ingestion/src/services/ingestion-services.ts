import type { Sealer } from '@youworker/database/sealing/sealer'
import type { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { Logger } from '@youworker/runtime/logger'
import type { ChunkSize } from '../chunking/chunk-document.ts'
import type { ReaderPool } from '../reading/reader-pool.ts'
import type { IngestionUnitOfWork } from '../unit-of-work.ts'
import { BlobStore } from './files/blob-store.ts'
import { DeletionService } from './documents/deletion-service.ts'
import { ErasureVerifier } from './documents/document-erasure.ts'
import { DocumentEditor } from './documents/document-editor.ts'
import { DocumentService } from './documents/document-service.ts'
import { type Embedder, EmbeddingService } from './search/embedding-service.ts'
import { ErasureService } from './documents/erasure-service.ts'
import { ExplainService } from './search/explain/explain-service.ts'
import { IndexChecker } from './search/index-check.ts'
import { IndexService } from './search/index-service.ts'
import { createBatches } from './runs/create-batches.ts'
import { LabelChanger } from './labels/label-changer.ts'
import { CollectionAccessService, type DescribeUsers } from './labels/collection-access.ts'
import { LabelService } from './labels/label-service.ts'
import type { Reranker } from './search/rerank/reranker.ts'
import { RunProcessor } from './runs/run-processor.ts'
import { RunService } from './runs/run-service.ts'
import { RunStarter } from './runs/run-starter.ts'
import { TimelineService } from './runs/timeline-service.ts'
import type { SearchIndex } from './search/search-index.ts'
import { CallerSlots } from './search/caller-slots.ts'
import { SearchService } from './search/search-service.ts'
import { type CheckSpace, type SharedWith, sharedWith, type SpaceAccess, type SpacesOfUser, withShared } from './space-access.ts'
import { ResumableService } from './files/resumable-service.ts'
import { StreamStore } from './files/store-stream.ts'
import { Gatherer } from './sources/gatherer.ts'
import { sourceOpener } from './sources/open-source.ts'
import type { ServerFiles } from './sources/server-files.ts'
import { SourceStarter } from './sources/source-starter.ts'
import { FileService } from './stores/file-service.ts'
import { UploadService } from './files/upload-service.ts'

interface ServicePorts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly users: DescribeUsers
  readonly spacesOf: SpacesOfUser
  readonly sealer: Sealer
  readonly embedder: Embedder
  readonly reranker: Reranker | undefined
  readonly index: SearchIndex
  readonly space: FreeSpace
  readonly readers: ReaderPool
  readonly logger: Logger
  /** Workers look at once for new and for cancelled runs, instead of at their next poll. */
  readonly wake: () => void
  /** Workers fetch at once what a new run names. */
  readonly wakeGatherers: () => void
  readonly fetcher: GuardedFetcher
  readonly serverFiles: ServerFiles
  readonly maxFileMb: number
  readonly chunks: ChunkSize
  readonly keepDeletedDays: number
}

/** All services over their ports: for the process and for tests. */
export function createServices(ports: ServicePorts) {
  const {
    uow,
    access,
    checkSpace: ofGroups,
    users,
    spacesOf,
    sealer,
    embedder,
    reranker,
    index,
    space,
    readers,
    logger,
    wake,
    wakeGatherers,
    fetcher,
    serverFiles,
    maxFileMb,
    chunks,
    keepDeletedDays: keepDays,
  } = ports
  const shared = sharedWith(uow)
  const checkSpace = withShared(ofGroups, shared)
  const store = new BlobStore(uow, sealer)
  const embeddings = new EmbeddingService(uow, embedder)
  const indexing = new IndexService({ uow, index, embeddings, logger })
  const batches = createBatches({ uow, store, readers, embeddings, indexing, space, chunks })
  const searches = new SearchService({ uow, access, index, indexing, embedder, reranker, logger })
  const verifier = new ErasureVerifier({ uow, index, indexing })
  const open = sourceOpener({ fetcher, files: serverFiles, streams: new StreamStore(uow, store, maxFileMb) })
  return {
    embeddings,
    ...fileServices({ uow, access, store, space, maxFileMb }),
    starter: new RunStarter({ uow, access, store, space, wake }),
    sources: new SourceStarter({ uow, access, space, fetcher, files: serverFiles, wake: wakeGatherers }),
    gatherer: new Gatherer({ uow, checkSpace, space, logger, wake, open }),
    runs: new RunService({ uow, space, wake }),
    timelines: new TimelineService({ uow, access }),
    ...documentServices({ uow, access, checkSpace, store, indexing, verifier, logger, keepDays }),
    ...labelServices({ uow, access, checkSpace, shared, users, wake }),
    verifier,
    checker: new IndexChecker({ uow, index, indexing, embeddings }),
    callers: new CallerSlots(),
    searches,
    explainer: new ExplainService({ uow, index, access, spacesOf, shared, searches }),
    processor: new RunProcessor({ uow, batches, checkSpace, logger }),
    erasure: new ErasureService({ uow, sealer, indexing, logger }),
  }
}

interface FilePorts extends Pick<ServicePorts, 'uow' | 'access' | 'space' | 'maxFileMb'> {
  readonly store: BlobStore
}

const fileServices = ({ uow, access, store, space, maxFileMb }: FilePorts) => ({
  uploads: new UploadService({ uow, access, store, space, maxFileMb }),
  resumable: new ResumableService({ uow, access, store, space, maxFileMb }),
  files: new FileService({ uow, access, store }),
})

interface LabelPorts extends Pick<ServicePorts, 'uow' | 'access' | 'checkSpace' | 'users' | 'wake'> {
  readonly shared: SharedWith
}

const labelServices = ({ uow, access, checkSpace, shared, users, wake }: LabelPorts) => ({
  labels: new LabelService({ uow, access, checkSpace, wake }),
  collectionAccess: new CollectionAccessService({ uow, access, checkSpace, shared, users }),
  labelChanger: new LabelChanger({ uow, checkSpace }),
})

interface DocumentPorts extends Pick<ServicePorts, 'uow' | 'access' | 'checkSpace' | 'logger'> {
  readonly store: BlobStore
  readonly indexing: IndexService
  readonly verifier: ErasureVerifier
  readonly keepDays: number
}

const documentServices = ({ uow, access, checkSpace, store, indexing, verifier, logger, keepDays }: DocumentPorts) => ({
  documents: new DocumentService({ uow, access, checkSpace }),
  deletion: new DeletionService({ uow, access, checkSpace, indexing, verifier, logger, keepDays }),
  editor: new DocumentEditor({ uow, access, checkSpace, store, indexing }),
})
