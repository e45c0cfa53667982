import { CollectionAccess, collectionAccess } from '@youworker/contracts/documents/collection-access'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'

type Deps = Pick<Clients, 'ingestion'>
const client = (context: RequestContext, { ingestion }: Deps) => ingestion.as(context.scope)

const common = { tag: 'documents', auth: 'required', limit: 'default' } as const
const read = { ...common, scopes: ['documents', 'documents:read'], csrf: 'none' } as const
const write = { ...common, scopes: ['documents'], csrf: 'required' } as const
const AccessPath = collectionAccess.getAccess.input
const CollectionPath = AccessPath.pick({ collection_id: true })
const path = '/v1/collections/{collection_id}/access/{user_id}'

/** Who outside its space may read a collection, or write to it. */
export const collectionAccessRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/collections/{collection_id}/access',
    operation: 'listCollectionAccess',
    summary: 'Users outside the space whom the collection was opened to (group: admin)',
    params: CollectionPath,
    query: collectionAccess.listAccess.input.omit({ collection_id: true }),
    answer: collectionAccess.listAccess.output,
    errors: collectionAccess.listAccess.errors,
    handle: ({ params, query, context }, deps: Deps) => client(context, deps).listAccess({ ...params, ...query }),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path,
    operation: 'getCollectionAccess',
    summary: 'What a user outside the space may do in the collection',
    params: AccessPath,
    answer: CollectionAccess,
    errors: collectionAccess.getAccess.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getAccess(params),
  }),
  defineRoute({
    ...write,
    method: 'PUT',
    path,
    operation: 'setCollectionAccess',
    summary: 'Let a user outside the space read the collection, or write to it (group: admin)',
    params: AccessPath,
    body: collectionAccess.setAccess.input.pick({ role: true }),
    answer: CollectionAccess,
    errors: collectionAccess.setAccess.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).setAccess({ ...params, ...body }),
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path,
    operation: 'removeCollectionAccess',
    summary: 'Close the collection to a user again, from this moment on; also by that user',
    params: AccessPath,
    status: 204,
    errors: collectionAccess.removeAccess.errors,
    async handle({ params, context }, deps: Deps) {
      await client(context, deps).removeAccess(params)
    },
  }),
]
