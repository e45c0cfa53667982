import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import { FileStatus } from '@youworker/contracts/documents/vector-stores'
import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { collectionIdOf, documentIdOf, idOfBatch } from '../files/file-ids.ts'
import { listOfRows, rowList } from '../files/row-list.ts'
import { BatchBody, StoreFileBody, StoreRowQuery, toNewFile } from './store-bodies.ts'
import { FileBatchObject, toFileBatch, toVectorStoreFile, VectorStoreFile } from './store-objects.ts'

type Deps = Pick<Clients, 'ingestion'>

/** Passages of one page of what was read of a file. */
const MOST_PASSAGES = 1_000
const BATCH_BYTES = 480 * 1024

const common = { tag: 'openai', auth: 'required', limit: 'default' } as const
const scopes = ['documents', 'documents:read'] as const
const errors = ['COLLECTION_NOT_FOUND', 'DOCUMENT_NOT_FOUND'] as const
const read = { ...common, method: 'GET', scopes, csrf: 'none', errors } as const
const write = { ...common, scopes: ['documents'], csrf: 'required', errors } as const
const changing = { ...write, errors: [...errors, 'NOT_GROUP_ADMIN'] } as const

const Ref = z.string().max(200)
const FILES = { path: '/v1/vector_stores/{vector_store_id}/files', params: z.object({ vector_store_id: Ref }) } as const
const FILE = { path: `${FILES.path}/{file_id}`, params: FILES.params.extend({ file_id: Ref }) } as const
const BATCHES = { path: '/v1/vector_stores/{vector_store_id}/file_batches', params: FILES.params } as const
const BATCH = { path: `${BATCHES.path}/{batch_id}`, params: FILES.params.extend({ batch_id: Ref }) } as const

const FileQuery = StoreRowQuery.extend({ filter: FileStatus.optional() })
const FileList = rowList(VectorStoreFile, 'VectorStoreFileList')
const FileContent = z
  .object({
    object: z.literal('vector_store.file_content.page'),
    data: z.array(z.object({ type: z.literal('text'), text: z.string() })),
    has_more: z.boolean(),
    next_page: z.string().nullable().meta({ description: 'For `page` of the next request.' }),
  })
  .meta({ id: 'VectorStoreFileContent' })

const oneFile = ({ vector_store_id, file_id }: z.output<typeof FILE.params>) => ({
  store_id: collectionIdOf(vector_store_id),
  file_id: documentIdOf(file_id),
})
const oneBatch = ({ vector_store_id, batch_id }: z.output<typeof BATCH.params>) => ({
  store_id: collectionIdOf(vector_store_id),
  batch_id: idOfBatch(batch_id),
})

async function listFiles(
  of: { readonly store_id: string; readonly batch_id?: string },
  { after, before, filter: status, ...query }: z.output<typeof FileQuery>,
  context: RequestContext,
  { ingestion }: Deps,
) {
  const page = { ...query, status, after: after && documentIdOf(after), before: before && documentIdOf(before) }
  const { files, has_more, chunking } = await ingestion.as(context.scope).listStoreFiles({ ...of, ...page })
  return listOfRows(
    files.map((file) => toVectorStoreFile(file, chunking)),
    has_more,
  )
}

/** The passages of a file, of which neighbours may share some words, up to a number of them. */
async function readPassages(document_id: string, from: number | undefined, context: RequestContext, { ingestion }: Deps) {
  const texts: string[] = []
  let after = from
  for (let hasMore = true; hasMore && texts.length < MOST_PASSAGES;) {
    const behind = after === undefined ? {} : { after }
    const page = await ingestion.as(context.scope).listChunks({ document_id, limit: LIMITS.listRows, ...behind })
    texts.push(...page.chunks.map(({ text }) => text))
    after = page.next_after
    hasMore = after !== undefined
  }
  return { texts, next: after }
}

export const storeFileRoutes = [
  defineRoute({
    ...write,
    ...FILES,
    method: 'POST',
    operation: 'createVectorStoreFile',
    summary: 'Put a file into a vector store; it is read if it was not yet',
    body: StoreFileBody,
    answer: VectorStoreFile,
    async handle({ params, body, context }, { ingestion }: Deps) {
      const input = { store_id: collectionIdOf(params.vector_store_id), files: [toNewFile(body)] }
      const { file, chunking } = await ingestion.as(context.scope).attachFile(input, context.idempotency)
      return toVectorStoreFile(file, chunking)
    },
  }),
  defineRoute({
    ...read,
    ...FILES,
    operation: 'listVectorStoreFiles',
    summary: 'The files of a vector store: those put into it, and documents of its collection',
    query: FileQuery,
    answer: FileList,
    handle: ({ params, query, context }, deps: Deps) =>
      listFiles({ store_id: collectionIdOf(params.vector_store_id) }, query, context, deps),
  }),
  defineRoute({
    ...read,
    ...FILE,
    operation: 'getVectorStoreFile',
    summary: 'A file of a vector store, and whether it was read',
    answer: VectorStoreFile,
    async handle({ params, context }, { ingestion }: Deps) {
      const { file, chunking } = await ingestion.as(context.scope).getStoreFile(oneFile(params))
      return toVectorStoreFile(file, chunking)
    },
  }),
  defineRoute({
    ...changing,
    ...FILE,
    method: 'POST',
    operation: 'updateVectorStoreFile',
    summary: 'Replace the attributes of a file of a vector store',
    body: z.object({ attributes: Attributes.nullable() }).meta({ id: 'VectorStoreFileChanges' }),
    answer: VectorStoreFile,
    async handle({ params, body, context }, { ingestion }: Deps) {
      const input = { ...oneFile(params), attributes: body.attributes ?? {} }
      const { file, chunking } = await ingestion.as(context.scope).updateStoreFile(input)
      return toVectorStoreFile(file, chunking)
    },
  }),
  defineRoute({
    ...changing,
    ...FILE,
    method: 'DELETE',
    operation: 'deleteVectorStoreFile',
    summary: 'Take a file out of a vector store; the file stays',
    answer: z.object({ id: z.string(), object: z.literal('vector_store.file.deleted'), deleted: z.literal(true) }),
    async handle({ params, context }, { ingestion }: Deps) {
      await ingestion.as(context.scope).detachFile(oneFile(params))
      return { id: params.file_id, object: 'vector_store.file.deleted', deleted: true } as const
    },
  }),
  defineRoute({
    ...read,
    path: `${FILE.path}/content`,
    params: FILE.params,
    operation: 'getVectorStoreFileContent',
    summary: 'What was read of a file, passage by passage',
    query: z.object({ page: z.coerce.number().int().min(0).max(10_000_000).optional() }),
    answer: FileContent,
    async handle({ params, query, context }, deps: Deps) {
      const file = oneFile(params)
      await deps.ingestion.as(context.scope).getStoreFile(file)
      const { texts, next } = await readPassages(file.file_id, query.page, context, deps)
      return {
        object: 'vector_store.file_content.page' as const,
        data: texts.map((text) => ({ type: 'text' as const, text })),
        has_more: next !== undefined,
        next_page: next === undefined ? null : String(next),
      }
    },
  }),
]

export const fileBatchRoutes = [
  defineRoute({
    ...write,
    ...BATCHES,
    method: 'POST',
    operation: 'createVectorStoreFileBatch',
    summary: 'Put files into a vector store together, all or none',
    bodyLimit: BATCH_BYTES,
    body: BatchBody,
    answer: FileBatchObject,
    async handle({ params, body, context }, { ingestion }: Deps) {
      const { file_ids, files, attributes } = body
      const all = files ?? (file_ids ?? []).map((file_id) => ({ file_id, attributes }))
      const input = { store_id: collectionIdOf(params.vector_store_id), files: all.map(toNewFile) }
      return toFileBatch(await ingestion.as(context.scope).createBatch(input, context.idempotency))
    },
  }),
  defineRoute({
    ...read,
    ...BATCH,
    operation: 'getVectorStoreFileBatch',
    summary: 'Files that were put into a vector store together, and how many of them were read',
    answer: FileBatchObject,
    async handle({ params, context }, { ingestion }: Deps) {
      return toFileBatch(await ingestion.as(context.scope).getBatch(oneBatch(params)))
    },
  }),
  defineRoute({
    ...write,
    path: `${BATCH.path}/cancel`,
    params: BATCH.params,
    method: 'POST',
    operation: 'cancelVectorStoreFileBatch',
    summary: 'Do not read the files of a batch that are not read yet',
    answer: FileBatchObject,
    async handle({ params, context }, { ingestion }: Deps) {
      return toFileBatch(await ingestion.as(context.scope).cancelBatch(oneBatch(params)))
    },
  }),
  defineRoute({
    ...read,
    path: `${BATCH.path}/files`,
    params: BATCH.params,
    operation: 'listVectorStoreFileBatchFiles',
    summary: 'The files of a batch',
    query: FileQuery,
    answer: FileList,
    handle: ({ params, query, context }, deps: Deps) => listFiles(oneBatch(params), query, context, deps),
  }),
]
