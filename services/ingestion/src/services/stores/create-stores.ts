import type { Sealer } from '@youworker/database/sealing/sealer'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { ChunkSize } from '../../chunking/chunk-document.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { CheckSpace, SpaceAccess } from '../space-access.ts'
import { BatchService } from './batch-service.ts'
import { StoreAccess } from './store-access.ts'
import { StoreFileService } from './store-file-service.ts'
import { StoreService } from './store-service.ts'

interface Ports {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly sealer: Sealer
  readonly space: FreeSpace
  readonly chunks: ChunkSize
  readonly wake: () => void
}

/** Wires the services of vector stores. */
export function createStores(ports: Ports) {
  const parts = { ...ports, stores: new StoreAccess(ports) }
  return {
    stores: new StoreService(parts),
    storeFiles: new StoreFileService(parts),
    fileBatches: new BatchService(parts),
  }
}
