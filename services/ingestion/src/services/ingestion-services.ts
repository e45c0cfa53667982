import type { Sealer } from '@youworker/database/sealing/sealer'
import type { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { ChunkSize } from '../chunking/chunk-document.ts'
import type { ReaderPool } from '../reading/reader-pool.ts'
import { BlobStore } from './files/blob-store.ts'
import { DeletionService } from './documents/deletion-service.ts'
import { DocumentEditor } from './documents/document-editor.ts'
import { PreviewService } from './documents/preview/preview-service.ts'
import { DocumentService } from './documents/document-service.ts'
import { ErasureService } from './documents/erasure-service.ts'
import type { ErasureVerifier } from './documents/document-erasure.ts'
import type { Indexing } from './search/index-service.ts'
import { createSearching, type SearchPorts } from './search/create-searching.ts'
import { createBatches } from './runs/create-batches.ts'
import { LabelChanger } from './labels/label-changer.ts'
import { CollectionAccessService, type DescribeUsers } from './labels/collection-access.ts'
import { LabelService } from './labels/label-service.ts'
import type { Transcriber } from './runs/stages/transcriber.ts'
import { RunProcessor } from './runs/run-processor.ts'
import { RunService } from './runs/run-service.ts'
import { RunStarter } from './runs/run-starter.ts'
import { TimelineService } from './runs/timeline-service.ts'
import { CallerSlots } from './search/caller-slots.ts'
import { type CheckSpace, type SharedWith, sharedWith, withShared } from './space-access.ts'
import { ResumableService } from './files/resumable-service.ts'
import { StreamStore } from './files/store-stream.ts'
import { Gatherer } from './sources/gatherer.ts'
import { sourceOpener } from './sources/open-source.ts'
import type { ServerFiles } from './sources/server-files.ts'
import { SourceStarter } from './sources/source-starter.ts'
import { createStores } from './stores/create-stores.ts'
import { FileService } from './stores/file-service.ts'
import { UploadService } from './files/upload-service.ts'

interface ServicePorts extends Omit<SearchPorts, 'shared'> {
  readonly checkSpace: CheckSpace
  readonly users: DescribeUsers
  readonly sealer: Sealer
  readonly space: FreeSpace
  readonly readers: ReaderPool
  /** Missing where nothing transcribes. */
  readonly transcriber?: Transcriber | undefined
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
    sealer,
    space,
    logger,
    wake,
    wakeGatherers,
    fetcher,
    serverFiles,
    maxFileMb,
    keepDeletedDays: keepDays,
  } = ports
  const shared = sharedWith(uow)
  const checkSpace = withShared(ofGroups, shared)
  const store = new BlobStore(uow, sealer)
  const searching = createSearching({ ...ports, shared })
  const { generations, verifier } = searching
  const batches = createBatches({ ...ports, store, generations })
  const open = sourceOpener({ fetcher, files: serverFiles, streams: new StreamStore(uow, store, maxFileMb) })
  return {
    ...searching,
    ...fileServices({ ...ports, checkSpace }, store),
    starter: new RunStarter({ uow, access, store, space, wake }),
    sources: new SourceStarter({ uow, access, space, fetcher, files: serverFiles, wake: wakeGatherers }),
    gatherer: new Gatherer({ uow, checkSpace, space, logger, wake, open }),
    runs: new RunService({ uow, space, wake }),
    timelines: new TimelineService({ uow, access }),
    ...documentServices({
      uow,
      access,
      checkSpace,
      store,
      indexing: generations,
      verifier,
      logger,
      keepDays,
      sealer,
      readers: ports.readers,
    }),
    ...labelServices({ uow, access, checkSpace, shared, users, wake }),
    callers: new CallerSlots(),
    processor: new RunProcessor({ uow, batches, checkSpace, logger }),
    erasure: new ErasureService({ uow, sealer, indexing: generations, logger }),
  }
}

const fileServices = (ports: ServicePorts, store: BlobStore) => ({
  uploads: new UploadService({ ...ports, store }),
  resumable: new ResumableService({ ...ports, store }),
  files: new FileService({ ...ports, store }),
  ...createStores(ports),
})

interface LabelPorts extends Pick<ServicePorts, 'uow' | 'access' | 'checkSpace' | 'users' | 'wake'> {
  readonly shared: SharedWith
}

const labelServices = ({ uow, access, checkSpace, shared, users, wake }: LabelPorts) => ({
  labels: new LabelService({ uow, access, checkSpace, wake }),
  collectionAccess: new CollectionAccessService({ uow, access, checkSpace, shared, users }),
  labelChanger: new LabelChanger({ uow, checkSpace }),
})

interface DocumentPorts extends Pick<ServicePorts, 'uow' | 'access' | 'checkSpace' | 'logger' | 'sealer' | 'readers'> {
  readonly store: BlobStore
  readonly indexing: Indexing
  readonly verifier: ErasureVerifier
  readonly keepDays: number
}

function documentServices({ indexing, verifier, logger, keepDays, sealer, readers, ...common }: DocumentPorts) {
  const { uow, access, checkSpace, store } = common
  const documents = new DocumentService({ uow, access, checkSpace })
  return {
    documents,
    previews: new PreviewService({ uow, sealer, store, readers, documents }),
    deletion: new DeletionService({ uow, access, checkSpace, indexing, verifier, logger, keepDays }),
    editor: new DocumentEditor({ uow, access, checkSpace, store, indexing }),
  }
}
