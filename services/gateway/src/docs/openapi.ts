import { ERROR_STATUS, ErrorBody, type ErrorCode } from '@youworker/contracts/errors'
import { z } from 'zod'
import { ClientFrame } from '../web-socket/chat-frames.ts'
import { ServerFrame } from '../web-socket/server-frame.ts'
import type { RouteDescription } from '../http/define-route.ts'
import { Components, type Json } from './openapi-components.ts'
import { GUIDE } from './openapi-guide.ts'
import { isTagged } from '../http/answers/send-answer.ts'

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

function requestBody({ body, form }: RouteDescription, components: Components): Json {
  if (body === undefined) return {}
  if (body === 'bytes') {
    return { requestBody: { required: true, content: { 'application/offset+octet-stream': { schema: { type: 'string' } } } } }
  }
  if (body !== 'multipart') {
    const required = !body.safeParse({}).success
    return { requestBody: { required, content: { 'application/json': { schema: components.of(body, 'input') } } } }
  }
  const content = { 'multipart/form-data': { schema: { type: 'object', ...form } } }
  return { requestBody: { required: true, content } }
}

function success(route: RouteDescription, components: Components): Json {
  const { answer, media, status, accepted } = route
  const content: Json = answer ? { 'application/json': { schema: components.of(answer, 'output') } } : {}
  if (media === 'text/event-stream') content[media] = eventStream(route, components)
  else if (media) content[media] = { schema: { type: 'string' } }
  const main: Json = { [status]: { description: 'Done', ...(Object.keys(content).length > 0 ? { content } : {}) } }
  if (isTagged(route)) main[304] = { description: 'Not changed since the answer whose ETag is in If-None-Match' }
  return accepted ? { ...main, 202: acceptedResponse(accepted, components) } : main
}

/** The data of each event, with the event's name as title. */
function eventStream({ events }: RouteDescription, components: Components): Json {
  const oneOf = (events?.options ?? []).map(({ shape: { event, data } }) => ({
    title: event.value,
    description: `The data of an event \`${event.value}\``,
    ...components.of(data, 'output'),
  }))
  return { schema: { oneOf } }
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
  const { tag, summary, auth, scopes } = route
  return {
    operationId: route.operation,
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
  components.named('SocketClientFrame', ClientFrame, 'input')
  components.named('SocketServerFrame', ServerFrame, 'output')
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'YouWorker',
      version: '1',
      description: GUIDE,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
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
