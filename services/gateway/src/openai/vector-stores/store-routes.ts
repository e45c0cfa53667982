import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'
import { collectionIdOf } from '../files/file-ids.ts'
import { listOfRows, rowList } from '../files/row-list.ts'
import { StoreBody, StoreChanges, StoreRowQuery, StoreSearchBody, toNewFile } from './store-bodies.ts'
import { toVectorStore, VectorStoreObject } from './store-objects.ts'
import { searchStore, StoreSearchAnswer } from './store-search.ts'

type Deps = Pick<Clients, 'ingestion'>

const common = { tag: 'openai', auth: 'required', limit: 'default' } as const
const read = {
  ...common,
  method: 'GET',
  scopes: ['documents', 'documents:read'],
  csrf: 'none',
  errors: ['COLLECTION_NOT_FOUND'],
} as const
const write = { ...common, scopes: ['documents'], csrf: 'required' } as const
const ONE = {
  path: '/v1/vector_stores/{vector_store_id}',
  params: z.object({ vector_store_id: z.string().max(200) }),
} as const

/** Of a body, what is to be told of the store. `null` takes away, except the name. */
const factsOf = ({ name, description, expires_after, metadata }: z.output<typeof StoreChanges>) => ({
  ...(name ? { name } : {}),
  ...(description === undefined ? {} : { description }),
  ...(expires_after === undefined ? {} : { expires_after: expires_after?.days ?? null }),
  ...(metadata === undefined ? {} : { metadata: metadata ?? {} }),
})

export const storeRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/vector_stores',
    operation: 'createVectorStore',
    summary:
      "Make a vector store; it is a collection, and each collection is a vector store with the id `vs_` and the collection's",
    body: StoreBody,
    answer: VectorStoreObject,
    errors: ['GROUP_NOT_FOUND', 'DOCUMENT_NOT_FOUND'],
    async handle({ body, context }, { ingestion }: Deps) {
      const { file_ids, group_id, chunking_strategy: _asSet, ...facts } = body
      const files = [...new Set(file_ids ?? [])].map((file_id) => toNewFile({ file_id }))
      const group = group_id == null ? {} : { group_id }
      const store = { ...factsOf(facts), ...group, files }
      return toVectorStore(await ingestion.as(context.scope).createStore(store, context.idempotency))
    },
  }),
  defineRoute({
    ...read,
    path: '/v1/vector_stores',
    operation: 'listVectorStores',
    summary: 'The collections the caller may read, as vector stores',
    query: StoreRowQuery,
    answer: rowList(VectorStoreObject, 'VectorStoreList'),
    async handle({ query: { after, before, ...query }, context }, { ingestion }: Deps) {
      const page = { ...query, after: after && collectionIdOf(after), before: before && collectionIdOf(before) }
      const { stores, has_more } = await ingestion.as(context.scope).listStores(page)
      return listOfRows(stores.map(toVectorStore), has_more)
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    operation: 'getVectorStore',
    summary: 'One vector store',
    answer: VectorStoreObject,
    async handle({ params, context }, { ingestion }: Deps) {
      return toVectorStore(await ingestion.as(context.scope).getStore({ store_id: collectionIdOf(params.vector_store_id) }))
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'POST',
    operation: 'updateVectorStore',
    summary: 'Change what is told of a vector store (group: admin)',
    body: StoreChanges,
    answer: VectorStoreObject,
    errors: ['COLLECTION_NOT_FOUND', 'NOT_GROUP_ADMIN'],
    async handle({ params, body, context }, { ingestion }: Deps) {
      const changes = { store_id: collectionIdOf(params.vector_store_id), ...factsOf(body) }
      return toVectorStore(await ingestion.as(context.scope).updateStore(changes))
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    operation: 'deleteVectorStore',
    summary: 'Delete a vector store; its files stay (group: admin)',
    answer: z.object({ id: z.string(), object: z.literal('vector_store.deleted'), deleted: z.literal(true) }),
    errors: ['COLLECTION_NOT_FOUND', 'NOT_GROUP_ADMIN'],
    async handle({ params: { vector_store_id: id }, context }, { ingestion }: Deps) {
      await ingestion.as(context.scope).deleteCollection({ collection_id: collectionIdOf(id) })
      return { id, object: 'vector_store.deleted', deleted: true } as const
    },
  }),
  defineRoute({
    ...read,
    method: 'POST',
    path: `${ONE.path}/search`,
    params: ONE.params,
    operation: 'searchVectorStore',
    summary: 'Find passages in the files of a vector store',
    body: StoreSearchBody,
    answer: StoreSearchAnswer,
    errors: ['COLLECTION_NOT_FOUND', 'LLM_ERROR'],
    handle: ({ params, body, context }, { ingestion }: Deps) =>
      searchStore(collectionIdOf(params.vector_store_id), body, ingestion.as(context.scope)),
  }),
]
