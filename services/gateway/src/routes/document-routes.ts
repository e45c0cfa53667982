import { Document, ingestion } from '@youworker/contracts/ingestion'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
import { sendContent } from '../files/send-content.ts'

const DocumentPath = ingestion.getDocument.input
const { errors } = ingestion.getDocument

type DocumentCall = Pick<RouteCall<unknown, unknown, unknown>, 'deps' | 'context'>
const client = ({ deps, context }: DocumentCall) => deps.ingestion.as(context.scope)

const read = { tag: 'documents', auth: 'required', csrf: 'none', limit: 'default' } as const

export const documentRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents',
    summary: 'Documents the caller may read',
    query: ingestion.listDocuments.input,
    answer: ingestion.listDocuments.output,
    errors: ingestion.listDocuments.errors,
    handle: ({ query, ...call }) => client(call).listDocuments(query),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}',
    summary: 'One document',
    params: DocumentPath,
    answer: Document,
    errors,
    handle: ({ params, ...call }) => client(call).getDocument(params),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/documents/{document_id}/content',
    summary: 'The original file, as an attachment; takes a single Range',
    params: DocumentPath,
    media: 'application/octet-stream',
    errors,
    async handle({ params, ...call }) {
      return sendContent(await client(call).openContent(params), call.context, call.deps)
    },
  }),
  defineRoute({
    ...read,
    csrf: 'required',
    method: 'DELETE',
    path: '/v1/documents/{document_id}',
    summary: 'Erase the document; search forgets it at once',
    params: DocumentPath,
    status: 204,
    errors: ingestion.deleteDocument.errors,
    async handle({ params, ...call }) {
      await client(call).deleteDocument(params)
    },
  }),
]
