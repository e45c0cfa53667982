import { IndexCheck, IndexCheckInput } from '@youworker/contracts/documents/index-check'
import { IndexMigration, IndexStatus } from '@youworker/contracts/documents/index-generations'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'

type Deps = Pick<Clients, 'ingestion'>

const write = { tag: 'admin', auth: 'required', csrf: 'required', limit: 'default' } as const

export const indexRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/admin/index/check',
    operation: 'checkIndex',
    summary: 'Compare documents, chunks, vectors and files with the search index, and repair what differs (root)',
    body: IndexCheckInput,
    answer: IndexCheck,
    handle: ({ body, context }, { ingestion }: Deps) => ingestion.as(context.scope).checkIndex(body),
  }),
  defineRoute({
    ...write,
    csrf: 'none',
    method: 'GET',
    path: '/v1/admin/index',
    operation: 'getIndex',
    summary: 'The search index that is used, and one that is being made beside it, with its progress (root)',
    answer: IndexStatus,
    handle: ({ context }, { ingestion }: Deps) => ingestion.as(context.scope).getIndex({}),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/admin/index/migrate',
    operation: 'migrateIndex',
    summary: 'Move the search index to Qdrant or to files, while searches go on (root)',
    body: IndexMigration,
    answer: IndexStatus,
    errors: ['CONFLICT'],
    handle: ({ body, context }, { ingestion }: Deps) => ingestion.as(context.scope).migrateIndex(body),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/admin/index/cancel',
    operation: 'cancelIndexBuild',
    summary: 'Drop the search index that is being made (root)',
    answer: IndexStatus,
    errors: ['CONFLICT'],
    handle: ({ context }, { ingestion }: Deps) => ingestion.as(context.scope).cancelIndexBuild({}),
  }),
]
