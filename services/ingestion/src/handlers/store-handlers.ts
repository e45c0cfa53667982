import type { storedFiles } from '@youworker/contracts/documents/stored-files'
import type { vectorStores } from '@youworker/contracts/documents/vector-stores'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { BatchService } from '../services/stores/batch-service.ts'
import type { FileService } from '../services/stores/file-service.ts'
import type { StoreFileService } from '../services/stores/store-file-service.ts'
import type { StoreService } from '../services/stores/store-service.ts'

export interface StoreServices {
  readonly files: FileService
  readonly stores: StoreService
  readonly storeFiles: StoreFileService
  readonly fileBatches: BatchService
}

/** What OpenAI's clients do with files and vector stores. */
export const storeHandlers = ({
  files,
  stores,
  storeFiles,
  fileBatches,
}: StoreServices): Handlers<typeof storedFiles & typeof vectorStores> => ({
  storeFile: (input, context) => files.store(input, context),
  listFiles: (input, context) => files.list(input, context),
  getFile: (input, context) => files.get(input, context),
  createStore: (input, context) => stores.create(input, context),
  listStores: (input, context) => stores.list(input, context),
  getStore: (input, context) => stores.get(input, context),
  updateStore: (input, context) => stores.update(input, context),
  attachFile: (input, context) => storeFiles.attach(input, context),
  listStoreFiles: (input, context) => storeFiles.list(input, context),
  getStoreFile: (input, context) => storeFiles.get(input, context),
  updateStoreFile: (input, context) => storeFiles.update(input, context),
  detachFile: (input, context) => storeFiles.detach(input, context),
  createBatch: (input, context) => fileBatches.create(input, context),
  getBatch: (input, context) => fileBatches.get(input, context),
  cancelBatch: (input, context) => fileBatches.cancel(input, context),
})
