import { ERROR_STATUS, ErrorBody, type ErrorCode } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { RouteDescription } from './define-route.ts'

type Json = Record<string, unknown>

const DRAFT = { target: 'draft-2020-12', unrepresentable: 'any' } as const

/** Schemas with an id become components, once each. */
class Components {
  readonly schemas: Json = {}

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const { $schema: _dialect, $defs = {}, ...json } = z.toJSONSchema(schema, { ...DRAFT, io }) as Json & { $defs?: Json }
    for (const [name, definition] of Object.entries($defs)) this.#add(name, definition)
    const id = z.globalRegistry.get(schema)?.id
    if (id === undefined) return this.#referring(json)
    this.#add(id, json)
    return { $ref: `#/components/schemas/${id}` }
  }

  #add(name: string, definition: unknown): void {
    this.schemas[name] ??= this.#referring(definition)
  }

  #referring(json: unknown): Json {
    const text = JSON.stringify(json, (key, value: unknown) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    )
    return JSON.parse(text.replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/')) as Json
  }
}

/** The route's own error codes and those that its guards add. */
function codesOf(route: RouteDescription): ErrorCode[] {
  const codes: ErrorCode[] = ['INTERNAL_ERROR', 'SERVICE_UNAVAILABLE', 'DEADLINE_EXCEEDED', ...route.errors]
  if (route.auth === 'required') codes.push('NOT_AUTHENTICATED', 'NOT_AUTHORIZED')
  if (route.csrf !== 'none') codes.push('CSRF_VALIDATION_FAILED')
  if (route.limit !== 'none') codes.push('RATE_LIMIT_EXCEEDED')
  if (route.body !== undefined) codes.push('PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE')
  if (route.method !== 'GET') codes.push('INSUFFICIENT_STORAGE')
  return [...new Set([...codes, 'VALIDATION_ERROR' as const])]
}

function errorResponses(route: RouteDescription, components: Components): Json {
  const byStatus = Object.groupBy(codesOf(route), (code) => ERROR_STATUS[code])
  const content = { 'application/json': { schema: components.of(ErrorBody, 'output') } }
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => [status, { description: codes.join(', '), content }]),
  )
}

function parameters({ params, query }: RouteDescription, components: Components): Json[] {
  const describe = (schema: z.ZodObject, where: 'path' | 'query') =>
    Object.entries(schema.shape).map(([name, field]) => ({
      name,
      in: where,
      required: where === 'path' || !z.safeParse(field, undefined).success,
      // The output: the input of a coerced number is `unknown`.
      schema: components.of(field as z.ZodType, 'output'),
    }))
  return [...describe(params, 'path'), ...describe(query, 'query')]
}

function requestBody({ body }: RouteDescription, components: Components): Json {
  if (body === undefined) return {}
  if (body !== 'multipart') {
    const required = !body.safeParse({}).success
    return { requestBody: { required, content: { 'application/json': { schema: components.of(body, 'input') } } } }
  }
  const text = { type: 'string' }
  const properties = {
    files: { type: 'array', items: { type: 'string', contentMediaType: 'application/octet-stream' } },
    tags: { type: 'array', items: text },
    collection: text,
    group_id: { ...text, format: 'uuid' },
    is_private: { type: 'boolean', default: false },
    wait: { type: 'boolean', default: true },
  }
  return {
    requestBody: {
      required: true,
      content: { 'multipart/form-data': { schema: { type: 'object', properties, required: ['files'] } } },
    },
  }
}

function success({ answer, media, status, accepted }: RouteDescription, components: Components): Json {
  const json = answer ? { 'application/json': { schema: components.of(answer, 'output') } } : {}
  const content = media ? { ...json, [media]: { schema: { type: 'string' } } } : json
  const main = { [status]: { description: 'Done', ...(Object.keys(content).length > 0 ? { content } : {}) } }
  return accepted ? { ...main, 202: acceptedResponse(accepted, components) } : main
}

function acceptedResponse(body: z.ZodType, components: Components): Json {
  const header = (description: string) => ({ description, schema: { type: 'string' } })
  return {
    description: 'The result was not there in time (`Prefer: wait=N` shortens the wait); the run goes on',
    headers: { Location: header('The run'), 'Retry-After': header('Seconds'), 'Preference-Applied': header('RFC 7240') },
    content: { 'application/json': { schema: components.of(body, 'output') } },
  }
}

function operation(route: RouteDescription, components: Components): Json {
  const { method, path, tag, summary, auth, scopes } = route
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]([A-Za-z0-9])/g, (_, first: string) => first.toUpperCase()).replaceAll(/[^A-Za-z0-9]/g, '')}`,
    tags: [tag],
    summary,
    parameters: parameters(route, components),
    ...requestBody(route, components),
    responses: { ...success(route, components), ...errorResponses(route, components) },
    ...(auth === 'none' ? {} : { 'x-scopes': scopes }),
    security: auth === 'none' ? [] : [{ session: [] }, { api_key: [] }, { bearer: [] }, ...(auth === 'optional' ? [{}] : [])],
  }
}

/** OpenAPI 3.1 with the JSON Schema 2020-12 that zod generates. */
export function buildOpenApi(routes: readonly RouteDescription[]): Json {
  const components = new Components()
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'YouWorker',
      version: '1',
      description: 'An AI-agent backend that answers from your own documents, with citations.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'youworker_token' },
        api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
