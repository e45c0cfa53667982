import type { Logger } from '@youworker/runtime/logger'
import { z } from 'zod'
import type { IndexAdapter, IndexIdentity } from '../../services/search/generations/index-adapter.ts'
import { Collection } from './collection.ts'
import { QdrantApi, type QdrantOptions } from './qdrant-api.ts'
import { isMissing } from './qdrant-error.ts'
import { collectionName, createQdrantIndex } from './qdrant-index.ts'

/** Another number when the points of before cannot be searched any more. */
const LAYOUT = 1
const Yes = z.boolean()

/** Indexes in one Qdrant, which may hold those of other installations, too: each is a collection named after its generation and its time. */
export function qdrantAdapter({ logger, ...options }: QdrantOptions & { readonly logger: Logger }): IndexAdapter {
  const nameOf = ({ number, vectors, created_at }: IndexIdentity) => `${number} ${vectors} ${created_at}`
  const call = async (work: (api: QdrantApi) => Promise<void>) => {
    using api = new QdrantApi(options)
    await work(api)
  }
  return {
    layout: LAYOUT,
    open: (which, dimensions) => createQdrantIndex({ ...options, model: nameOf(which), dimensions, logger }),
    activate: (which) =>
      call(async (api) => {
        const collection = new Collection(api, collectionName(nameOf(which)), noDimensions)
        if (await collection.facts()) await collection.activate()
      }),
    erase: (which) =>
      call(async (api) => {
        const gone = { collection_name: collectionName(nameOf(which)) }
        const erased = api.write('delete collection', Yes, ({ deleteCollection }, { init, timeout }) =>
          deleteCollection({ ...gone, timeout }, init),
        )
        await erased.catch((error: unknown) => {
          if (!isMissing(error)) throw error
        })
      }),
    // Which of them are another installation's cannot be told, and every question is for a space that Postgres knows.
    numbers: async () => [],
    eraseNumber: async () => {},
    spaces: async () => [],
  }
}

/** Only a collection that is made needs to know. */
const noDimensions = () => Promise.reject(new Error('a collection that is only named is not made'))
