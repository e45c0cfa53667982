import type { Scope } from '@youworker/contracts/scopes'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { buildOpenApi } from './openapi.ts'
import { ROUTES } from '../routes/routes.ts'

const Operation = z.object({ operationId: z.string(), responses: z.record(z.string(), z.unknown()) })
const Description = z.object({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})
const raw = buildOpenApi(ROUTES)
const description = Description.parse(raw)

test('every route is described, once', () => {
  const described = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort())
  const ids = Object.values(description.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
  expect(new Set(ids).size).toBe(ids.length)
})

test('operations are named by verbs, streams by their events, and no request has a default that a client would have to send', () => {
  for (const { operation } of ROUTES) expect(operation).toMatch(/^[a-z]+([A-Z][a-z]+)*$/)
  const streams = ROUTES.filter(({ media }) => media === 'text/event-stream')
  expect(streams.length).toBeGreaterThan(3)
  expect(streams.filter(({ events }) => events === undefined)).toEqual([])
  const text = JSON.stringify(description.paths['/v1/runs/{run_id}/events'])
  for (const event of ['run', 'status', 'transcript', 'token', 'tool', 'log', 'rewind', 'done'])
    expect(text).toContain(`"title":"${event}"`)
  for (const schema of ['ChatBody', 'SearchQuery', 'SocketClientFrame'])
    expect(JSON.stringify(description.components.schemas[schema])).not.toContain('"default"')
})

test('every reference resolves, and no zod `$defs` are left', () => {
  const text = JSON.stringify(raw)
  const names = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref)
  expect(names.length).toBeGreaterThan(50)
  for (const ref of new Set(names)) {
    const name = ref?.replace('#/components/schemas/', '') ?? ''
    expect(Object.keys(description.components.schemas)).toContain(name)
  }
  expect(text).not.toContain('$defs')
})

test('the parameters in a path are those of its schema', () => {
  for (const { path, params } of ROUTES) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    expect([path, Object.keys(params.shape).sort()]).toEqual([path, named.sort()])
  }
})

test('every route that writes needs CSRF, with these exceptions', () => {
  const exceptions = ROUTES.filter(({ method, csrf }) => method !== 'GET' && csrf === 'none').map(
    ({ method, path }) => `${method} ${path}`,
  )
  expect(exceptions.sort()).toEqual([
    'POST /v1/auth/auto-login',
    'POST /v1/auth/login',
    'POST /v1/search',
    'POST /v1/search/explain',
    'POST /v1/vector_stores/{vector_store_id}/search',
  ])
  const lenient = ROUTES.filter(({ csrf }) => csrf === 'lenient').map(({ path }) => path)
  expect(lenient.sort()).toEqual(['/v1/auth/logout', '/v1/simple-chat', '/v1/unified-chat'])
})

test('every answer with a key or token counts as a secret', () => {
  const secrets = ['api_key', 'csrf_token', 'access_token']
  const holding = ROUTES.filter(
    ({ answer }) => answer instanceof z.ZodObject && Object.keys(answer.shape).some((field) => secrets.includes(field)),
  )
  expect(holding).toHaveLength(6)
  expect(ROUTES.filter(({ holdsSecret }) => holdsSecret)).toEqual(holding)
})

test('each scope of an API key opens these routes and no others', () => {
  const opened = (scope: Scope) =>
    ROUTES.filter(({ auth, scopes }) => auth !== 'none' && scopes.includes(scope)).map(({ method, path }) => `${method} ${path}`)
  const always = ['POST /v1/auth/logout', 'GET /v1/auth/csrf-token']
  expect(opened('ops').sort()).toEqual([...always, 'GET /health/detailed', 'GET /metrics', 'GET /metrics/targets'].sort())
  const me = 'GET /v1/auth/me'
  const chat = ['chat', 'unified-chat', 'simple-chat', 'voice-turn'].map((name) => `POST /v1/${name}`)
  const run = ['GET', 'GET /events', 'GET /steps', 'POST /stop'].map((line) => line.replace(/^(\w+) ?/, '$1 /v1/runs/{run_id}'))
  const runs = [...run, 'GET /v1/tool-runs']
  const sessions = [
    'GET',
    'POST',
    'GET /{session_id}',
    'GET /{session_id}/messages',
    'POST /{session_id}/messages/{message_id}/retry',
    'GET /{session_id}/branches',
    'PATCH /{session_id}',
    'DELETE /{session_id}',
    'POST /{session_id}/restore',
  ].map((line) => {
    const [method, rest = ''] = line.split(' ')
    return `${method} /v1/sessions${rest}`
  })
  const models = ['GET /v1/models', 'GET /v1/models/{model}', 'POST /v1/embeddings']
  const protocols = [
    'chat/completions',
    'responses',
    'messages',
    'messages/count_tokens',
    'audio/transcriptions',
    'audio/speech',
  ].map((name) => `POST /v1/${name}`)
  const response = '/v1/responses/{response_id}'
  const responses = [`GET ${response}`, `GET ${response}/input_items`, `POST ${response}/cancel`, `DELETE ${response}`]
  const conversations = ['POST', 'GET /{id}', 'POST /{id}', 'DELETE /{id}', 'GET /{id}/items'].map((line) =>
    line.replace(/^(\w+) ?/, '$1 /v1/conversations').replace('{id}', '{conversation_id}'),
  )
  expect(opened('chat').sort()).toEqual(
    [...always, me, ...chat, ...runs, ...sessions, ...models, ...protocols, ...responses, ...conversations].sort(),
  )
  const storeRoute = (method: string, rest: string) => `${method} /v1/vector_stores${rest.replace('{id}', '{vector_store_id}')}`
  const reading = [
    ...[
      '',
      '/{document_id}',
      '/{document_id}/chunks',
      '/{document_id}/content',
      '/{document_id}/preview',
      '/{document_id}/timeline',
    ].map((rest) => `GET /v1/documents${rest}`),
    ...['', '/{run_id}', '/{run_id}/events', '/{run_id}/timeline'].map((rest) => `GET /v1/ingestion-runs${rest}`),
    'GET /v1/tags',
    'GET /v1/collections',
    ...['', '/{user_id}'].map((rest) => `GET /v1/collections/{collection_id}/access${rest}`),
    'POST /v1/search',
    'POST /v1/search/explain',
    'POST /v1/embeddings',
    ...['', '/{file_id}', '/{file_id}/content'].map((rest) => `GET /v1/files${rest}`),
    ...['', '/{id}', '/{id}/files', '/{id}/files/{file_id}', '/{id}/files/{file_id}/content'].map((rest) =>
      storeRoute('GET', rest),
    ),
    ...['/{id}/file_batches/{batch_id}', '/{id}/file_batches/{batch_id}/files'].map((rest) => storeRoute('GET', rest)),
    storeRoute('POST', '/{id}/search'),
  ]
  expect(opened('documents:read').sort()).toEqual([...always, me, ...reading].sort())
  const writing = [
    'POST /v1/files',
    'DELETE /v1/files/{file_id}',
    ...['', '/{id}', '/{id}/files', '/{id}/files/{file_id}', '/{id}/file_batches'].map((rest) => storeRoute('POST', rest)),
    storeRoute('POST', '/{id}/file_batches/{batch_id}/cancel'),
    ...['/{id}', '/{id}/files/{file_id}'].map((rest) => storeRoute('DELETE', rest)),
    'POST /v1/ingest',
    'POST /v1/ingest/uploads',
    'POST /v1/uploads',
    'GET /v1/uploads/{upload_id}',
    'PATCH /v1/uploads/{upload_id}',
    'DELETE /v1/uploads/{upload_id}',
    'POST /v1/ingest/upload',
    'PATCH /v1/documents/{document_id}',
    'PATCH /v1/tags/{tag_id}',
    'POST /v1/tags/{tag_id}/merge',
    'DELETE /v1/tags/{tag_id}',
    'POST /v1/collections',
    'DELETE /v1/collections/{collection_id}',
    ...['PUT', 'DELETE'].map((method) => `${method} /v1/collections/{collection_id}/access/{user_id}`),
    'DELETE /v1/documents/{document_id}',
    'POST /v1/documents/{document_id}/restore',
    'DELETE /v1/ingestion-runs/{run_id}',
    'POST /v1/ingestion-runs/{run_id}/cancel',
    ...['retry', 'pause', 'resume'].map((act) => `POST /v1/ingestion-runs/{run_id}/${act}`),
  ]
  expect(opened('documents').sort()).toEqual([...always, me, ...reading, ...writing].sort())
})
