import type { OutgoingHttpHeaders } from 'node:http'
import type { ErrorCode } from '@youworker/contracts/errors'
import type { Scope } from '@youworker/contracts/scopes'
import { z } from 'zod'
import type { RequestContext } from './request-context.ts'
import type { CsrfRule } from './guards/csrf.ts'
import type { LimitClass } from './guards/rate-limit.ts'
import type { Reply } from './answers/reply.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface RouteCall<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly context: RequestContext
}

/** Content type of an answer that is not JSON. A `text/event-stream` route also has no HEAD. */
export type Media = 'text/event-stream' | 'application/octet-stream' | 'text/html' | 'text/plain'

/** Names of events and their data. */
export type StreamEvents = z.ZodDiscriminatedUnion<z.ZodObject<{ event: z.ZodLiteral<string>; data: z.ZodType }>[], 'event'>

interface MultipartForm {
  readonly properties: Readonly<Record<string, object>>
  readonly required: readonly string[]
}

/** Everything about a route but its handler: what CSRF, limits, validation, OpenAPI and the access tests read. */
export interface RouteDescription {
  readonly method: Method
  /** Parameters in braces, as in OpenAPI. */
  readonly path: string
  readonly aliases: readonly string[]
  readonly tag: string
  /** `operationId` in OpenAPI, the name of a function in generated clients. */
  readonly operation: string
  readonly summary: string
  /** `optional`: a caller without a valid credential is served as anonymous. */
  readonly auth: 'required' | 'optional' | 'none'
  /** A limited key needs one of these. Without any, the route is closed to limited keys. */
  readonly scopes: readonly Scope[]
  /** For callers whose credential is a cookie. `none` only where nothing is written. */
  readonly csrf: CsrfRule | 'none'
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  /** `multipart` and `bytes`: the handler reads the body itself, from the socket. */
  readonly body: z.ZodType | 'multipart' | 'bytes' | undefined
  /** Of a `multipart` body, for OpenAPI: JSON Schemas of its parts. */
  readonly form: MultipartForm | undefined
  readonly answer: z.ZodType | undefined
  readonly status: 200 | 201 | 202 | 204
  /** The body of 202, on routes that may answer so: what was begun goes on. */
  readonly accepted: z.ZodType | undefined
  /** The answer shows a key or token: it is not compressed and nothing keeps it. */
  readonly holdsSecret: boolean
  /** Beside or instead of JSON. */
  readonly media: Media | undefined
  /** What an event stream sends. */
  readonly events: StreamEvents | undefined
  readonly errors: readonly ErrorCode[]
  readonly limit: LimitClass | 'none'
  /** Bytes of a JSON body. */
  readonly bodyLimit: number
  /** Headers by which OPTIONS tells what the path can. */
  readonly discovery: OutgoingHttpHeaders
}

/** A route that can be served. */
export interface Route extends RouteDescription {
  handle(call: RouteCall<unknown, unknown, unknown>): Promise<unknown>
}

/** A route whose handler still lacks its dependencies `D`. */
export interface UnboundRoute<D> extends RouteDescription {
  readonly bind: (deps: D) => Route
}

type WithDefaults =
  | 'aliases'
  | 'scopes'
  | 'params'
  | 'query'
  | 'body'
  | 'form'
  | 'answer'
  | 'status'
  | 'accepted'
  | 'holdsSecret'
  | 'media'
  | 'events'
  | 'errors'
  | 'bodyLimit'
  | 'discovery'

interface RouteDefinition<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType, D>
  extends
    Omit<RouteDescription, WithDefaults>,
    Partial<
      Pick<
        RouteDescription,
        'aliases' | 'scopes' | 'form' | 'status' | 'accepted' | 'holdsSecret' | 'events' | 'errors' | 'bodyLimit' | 'discovery'
      >
    > {
  readonly params?: P
  readonly query?: Q
  readonly body?: B | 'multipart' | 'bytes'
  readonly answer?: A
  readonly media?: Media
  /** The type of `deps`, written at each handler, names all that it works with. */
  handle(call: RouteCall<z.output<P>, z.output<Q>, z.output<B>>, deps: D): Promise<z.input<A> | Reply>
}

const Empty = z.object({})
/** Limit of a JSON body where a route sets none. */
const BODY_BYTES = 256 * 1024

export function defineRoute<
  P extends z.ZodObject = typeof Empty,
  Q extends z.ZodObject = typeof Empty,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodVoid,
  D = unknown,
>(definition: RouteDefinition<P, Q, B, A, D>): UnboundRoute<D> {
  const { params, query, body, answer, media, handle, ...rest } = definition
  const description: RouteDescription = {
    aliases: [],
    scopes: [],
    errors: [],
    status: 200,
    accepted: undefined,
    holdsSecret: false,
    form: undefined,
    events: undefined,
    bodyLimit: BODY_BYTES,
    discovery: {},
    ...rest,
    params: params ?? Empty,
    query: query ?? Empty,
    body,
    answer,
    media,
  }
  const bind = (deps: D): Route => ({ ...description, handle: (call: RouteCall<never, never, never>) => handle(call, deps) })
  return { ...description, bind }
}
