import { ChangedTag, Collection, labels } from '@youworker/contracts/documents/labels'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'

type Deps = Pick<Clients, 'ingestion'>
const client = (context: RequestContext, { ingestion }: Deps) => ingestion.as(context.scope)

const common = { tag: 'documents', auth: 'required', limit: 'default' } as const
const read = { ...common, scopes: ['documents', 'documents:read'], csrf: 'none' } as const
const write = { ...common, scopes: ['documents'], csrf: 'required' } as const
const TagPath = labels.deleteTag.input

export const labelRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/tags',
    operation: 'listTags',
    summary: 'Tags of the documents the caller may read, with counts',
    query: labels.listTags.input,
    answer: labels.listTags.output,
    errors: labels.listTags.errors,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listTags(query),
  }),
  defineRoute({
    ...write,
    method: 'PATCH',
    path: '/v1/tags/{tag_id}',
    operation: 'renameTag',
    summary: 'Rename a tag; its documents follow in a task (group: admin)',
    params: TagPath,
    body: labels.renameTag.input.omit({ tag_id: true }),
    answer: ChangedTag,
    errors: labels.renameTag.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).renameTag({ ...params, ...body }),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/tags/{tag_id}/merge',
    operation: 'mergeTags',
    summary: 'Give the documents of a tag another tag instead, in a task (group: admin)',
    params: TagPath,
    body: labels.mergeTags.input.omit({ tag_id: true }),
    answer: ChangedTag,
    errors: labels.mergeTags.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).mergeTags({ ...params, ...body }),
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/tags/{tag_id}',
    operation: 'deleteTag',
    summary: 'Delete a tag; its documents lose it in a task (group: admin)',
    params: TagPath,
    status: 202,
    answer: labels.deleteTag.output,
    errors: labels.deleteTag.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).deleteTag(params),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/collections',
    operation: 'listCollections',
    summary: 'Collections the caller may read, with counts',
    query: labels.listCollections.input,
    answer: labels.listCollections.output,
    errors: labels.listCollections.errors,
    handle: ({ query, context }, deps: Deps) => client(context, deps).listCollections(query),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/collections',
    operation: 'createCollection',
    summary: 'Make a collection; one that is there already is answered as it is',
    body: labels.createCollection.input,
    status: 201,
    answer: Collection,
    errors: labels.createCollection.errors,
    handle: ({ body, context }, deps: Deps) => client(context, deps).createCollection(body),
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/collections/{collection_id}',
    operation: 'deleteCollection',
    summary: 'Delete a collection; its documents stay, without it (group: admin)',
    params: labels.deleteCollection.input,
    status: 202,
    answer: labels.deleteCollection.output,
    errors: labels.deleteCollection.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).deleteCollection(params),
  }),
]
