import type { storedFiles } from '@youworker/contracts/documents/stored-files'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { FileService } from '../services/stores/file-service.ts'

export interface StoreServices {
  readonly files: FileService
}

/** What OpenAI's clients do with files. */
export const storeHandlers = ({ files }: StoreServices): Handlers<typeof storedFiles> => ({
  storeFile: (input, context) => files.store(input, context),
  listFiles: (input, context) => files.list(input, context),
  getFile: (input, context) => files.get(input, context),
})
