import { ingestion, SearchAnswer, SearchQuery } from '@youworker/contracts/ingestion'
import type { Clients } from '../clients.ts'
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
    handle: ({ body, context }, { ingestion: client }: Pick<Clients, 'ingestion'>) => client.as(context.scope).search(body),
  }),
]
