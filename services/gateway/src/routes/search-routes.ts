import { ingestion, SearchAnswer, SearchQuery } from '@youworker/contracts/ingestion'
import { defineRoute } from '../http/define-route.ts'

export const searchRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/search',
    tag: 'documents',
    summary: 'Find passages in the documents the caller may read',
    auth: 'required',
    csrf: 'none',
    limit: 'default',
    body: SearchQuery,
    answer: SearchAnswer,
    errors: ingestion.search.errors,
    handle: ({ body, context, deps }) => deps.ingestion.as(context.scope).search(body),
  }),
]
