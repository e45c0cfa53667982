import type { ErrorCode } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { Deps } from './deps.ts'
import type { RequestContext } from './request-context.ts'
import type { CsrfRule } from './guards/csrf.ts'
import type { LimitClass } from './guards/rate-limit.ts'
import type { Reply } from './reply.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface RouteCall<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly context: RequestContext
  readonly deps: Deps
}

/** What an answer is when it is not JSON; `event-stream` also has no HEAD. */
export type Media = 'text/event-stream' | 'application/octet-stream' | 'text/html' | 'text/plain'

export interface RouteDefinition<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  readonly method: Method
  /** Parameters in braces, as in OpenAPI. */
  readonly path: string
  readonly aliases?: readonly string[]
  readonly tag: string
  readonly summary: string
  /** `optional`: who has no or a wrong credential is served as nobody. */
  readonly auth: 'required' | 'optional' | 'none'
  /** For callers whose credential is a cookie. `none` only where nothing is written. */
  readonly csrf: CsrfRule | 'none'
  readonly params?: P
  readonly query?: Q
  /** `multipart`: the handler reads the body itself, from the socket. */
  readonly body?: B | 'multipart'
  readonly answer?: A
  /** 200 unless it says otherwise. */
  readonly status?: 200 | 201 | 202 | 204
  /** Beside or instead of JSON. */
  readonly media?: Media
  readonly errors?: readonly ErrorCode[]
  readonly limit: LimitClass | 'none'
  /** Bytes of a JSON body. */
  readonly bodyLimit?: number
  handle(call: RouteCall<z.output<P>, z.output<Q>, z.output<B>>): Promise<z.input<A> | Reply>
}

const Empty = z.object({})
/** A JSON body, unless a route says otherwise. */
const BODY_BYTES = 256 * 1024

export interface Route {
  readonly method: Method
  readonly path: string
  readonly aliases: readonly string[]
  readonly tag: string
  readonly summary: string
  readonly auth: 'required' | 'optional' | 'none'
  readonly csrf: CsrfRule | 'none'
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodType | 'multipart' | undefined
  readonly answer: z.ZodType | undefined
  readonly status: 200 | 201 | 202 | 204
  readonly media: Media | undefined
  readonly errors: readonly ErrorCode[]
  readonly limit: LimitClass | 'none'
  readonly bodyLimit: number
  handle(call: RouteCall<unknown, unknown, unknown>): Promise<unknown>
}

/** The only way to a route: what is written here is what CSRF, limits, validation, OpenAPI and the access tests read. */
export function defineRoute<
  P extends z.ZodObject = typeof Empty,
  Q extends z.ZodObject = typeof Empty,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodVoid,
>(definition: RouteDefinition<P, Q, B, A>): Route {
  const { params, query, body, answer, media, ...rest } = definition
  return {
    aliases: [],
    errors: [],
    status: 200,
    bodyLimit: BODY_BYTES,
    ...rest,
    params: params ?? Empty,
    query: query ?? Empty,
    body,
    answer,
    media,
    handle: (call: RouteCall<never, never, never>) => definition.handle(call),
  }
}
