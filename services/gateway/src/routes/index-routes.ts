import { IndexCheck, IndexCheckInput } from '@youworker/contracts/documents/index-check'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'

type Deps = Pick<Clients, 'ingestion'>

export const indexRoutes = [
  defineRoute({
    tag: 'admin',
    auth: 'required',
    csrf: 'required',
    limit: 'default',
    method: 'POST',
    path: '/v1/admin/index/check',
    operation: 'checkIndex',
    summary: 'Compare documents, chunks, vectors and files with the search index, and repair what differs (root)',
    body: IndexCheckInput,
    answer: IndexCheck,
    handle: ({ body, context }, { ingestion }: Deps) => ingestion.as(context.scope).checkIndex(body),
  }),
]
