import { Document, DocumentChanges } from '@youworker/contracts/documents/documents'
import { ingestion } from '@youworker/contracts/ingestion'
import { ExplainQuery, Explanation } from '@youworker/contracts/documents/explain'
import { SearchAnswer, SearchQuery } from '@youworker/contracts/documents/search'
import type { Clients } from '../clients.ts'
import { IncludeDeleted, Purge } from './deletion-queries.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { previewReply } from '../files/send-preview.ts'
import { type ContentDeps, sendContent } from '../files/send-content.ts'

const DocumentPath = ingestion.getDocument.input
const { errors } = ingestion.getDocument

type Deps = Pick<Clients, 'ingestion'>
const client = (context: RequestContext, { ingestion: documents }: Deps) => documents.as(context.scope)

const read = {
  tag: 'documents',
  auth: 'required',
  scopes: ['documents', 'documents:read'],
  csrf: 'none',
  limit: 'default',
} as const

export const documentRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents',
    operation: 'listDocuments',
    summary: 'Documents the caller may read',
    query: ingestion.listDocuments.input.extend(IncludeDeleted.shape),
    answer: ingestion.listDocuments.output,
    errors: ingestion.listDocuments.errors,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listDocuments(query),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}',
    operation: 'getDocument',
    summary: 'One document',
    params: DocumentPath,
    answer: Document,
    errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getDocument(params),
  }),
  defineRoute({
    ...read,
    scopes: ['documents'],
    csrf: 'required',
    method: 'PATCH',
    path: '/v1/documents/{document_id}',
    operation: 'updateDocument',
    summary: 'Change title, tags or collection; share it with a group (`group_id`) or take it out of one',
    params: DocumentPath,
    body: DocumentChanges.omit({ document_id: true }),
    answer: Document,
    errors: ingestion.updateDocument.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).updateDocument({ ...params, ...body }),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}/chunks',
    operation: 'listChunks',
    summary: 'The passages of a document in their order, with their places in its text',
    params: DocumentPath,
    query: ingestion.listChunks.input.omit({ document_id: true }),
    answer: ingestion.listChunks.output,
    errors,
    handle: ({ params, query, context }, deps: Deps) => client(context, deps).listChunks({ ...params, ...query }),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}/preview',
    operation: 'previewDocument',
    summary:
      'A page to look at: PNG of a PDF or a picture, of all else HTML that loads and runs nothing; `X-Preview-Pages` says of how many',
    params: DocumentPath,
    query: ingestion.previewDocument.input.omit({ document_id: true }),
    media: 'text/html',
    errors: ingestion.previewDocument.errors,
    async handle({ params, query, context }, deps: Deps) {
      return previewReply(await client(context, deps).previewDocument({ ...params, ...query }), query.page, context)
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}/content',
    operation: 'downloadDocument',
    summary: 'The original file, as an attachment; takes a single Range',
    params: DocumentPath,
    media: 'application/octet-stream',
    errors,
    async handle({ params, context }, deps: ContentDeps) {
      return sendContent(await client(context, deps).openContent(params), context, deps)
    },
  }),
  defineRoute({
    ...read,
    scopes: ['documents'],
    csrf: 'required',
    method: 'DELETE',
    path: '/v1/documents/{document_id}',
    operation: 'deleteDocument',
    summary: 'Delete the document; search forgets it at once, and until it is erased it can be restored',
    params: DocumentPath,
    query: Purge,
    status: 204,
    errors: ingestion.deleteDocument.errors,
    async handle({ params, query, context }, deps: Deps) {
      await client(context, deps).deleteDocument({ ...params, ...query })
    },
  }),
  defineRoute({
    ...read,
    scopes: ['documents'],
    csrf: 'required',
    method: 'POST',
    path: '/v1/documents/{document_id}/restore',
    operation: 'restoreDocument',
    summary: 'Bring a deleted document back, with its vectors',
    params: DocumentPath,
    answer: Document,
    errors: ingestion.restoreDocument.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).restoreDocument(params),
  }),
]

export const searchRoutes = [
  defineRoute({
    ...read,
    method: 'POST',
    path: '/v1/search',
    operation: 'searchDocuments',
    summary: 'Find passages in the documents the caller may read',
    body: SearchQuery,
    answer: SearchAnswer,
    errors: ingestion.search.errors,
    async handle({ body, context }, deps: Deps) {
      const { searched: _searched, ...answer } = await client(context, deps).search(body)
      return answer
    },
  }),
  defineRoute({
    ...read,
    method: 'POST',
    path: '/v1/search/explain',
    operation: 'explainSearch',
    summary: 'Why a search did or did not return a document; for root also as another user',
    body: ExplainQuery,
    answer: Explanation,
    errors: ingestion.explainSearch.errors,
    handle: ({ body, context }, deps: Deps) => client(context, deps).explainSearch(body),
  }),
]
