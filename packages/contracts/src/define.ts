import type { z } from 'zod'
import type { ErrorCode } from './errors.ts'
import { WAIT } from './limits.ts'
import type { Scope } from './scopes.ts'

/** `user`: `serve` verifies the caller's token. `service`: the NATS permissions authenticate the caller. `none`: sign-in, keys, health. */
export type AuthKind = 'user' | 'service' | 'none'
/** `api`: tokens of users and their clients. `run`: the short-lived tokens of an agent's run. */
export type Audience = 'api' | 'run'
/** With `bytes`, the payload is raw and the JSON part is one line in the header `Args`. */
export type BodyKind = 'json' | 'bytes'

export interface Request<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  B extends BodyKind = BodyKind,
  R extends BodyKind = BodyKind,
  A extends AuthKind = AuthKind,
> {
  readonly kind: 'request'
  readonly subject: string
  readonly input: I
  readonly output: O
  /** Codes that callers may receive in addition to `ALWAYS_ALLOWED`. Any other failure reaches them as `INTERNAL_ERROR`. */
  readonly errors: readonly ErrorCode[]
  readonly auth: A
  readonly audience: readonly Audience[]
  /** When given, the token of a limited key must have one of these. The gateway checks the scopes of its routes by itself. */
  readonly scopes?: readonly Scope[] | undefined
  readonly body: B
  readonly reply: R
  readonly deadlineMs: number
  /** Of one request, when it is not `LIMITS.wire`. */
  readonly maxBytes?: number | undefined
  /** Whether a caller may send the request again when it does not know the outcome of the first attempt. */
  readonly repeatable: boolean
}

export interface Event<P extends z.ZodType = z.ZodType> {
  readonly kind: 'event'
  readonly subject: string
  /** When it is sent, for docs/events.md. */
  readonly when: string
  readonly payload: P
}

export type Contract = Readonly<Record<string, Request | Event>>

interface RequestDefinition<I, O, B, R, A> {
  input: I
  output: O
  errors?: readonly ErrorCode[]
  auth?: A
  audience?: readonly Audience[]
  scopes?: readonly Scope[]
  body?: B
  reply?: R
  deadlineMs?: number
  maxBytes?: number
  repeatable?: boolean
}

export function request<
  I extends z.ZodType,
  O extends z.ZodType,
  B extends BodyKind = 'json',
  R extends BodyKind = 'json',
  A extends AuthKind = 'user',
>(subject: string, def: RequestDefinition<I, O, B, R, A>): Request<I, O, B, R, A> {
  const { input, output, errors = [], auth = 'user' as A, audience = ['api'], deadlineMs = WAIT.request, scopes, maxBytes } = def
  const { body = 'json' as B, reply = 'json' as R, repeatable = false } = def
  return {
    kind: 'request',
    subject,
    input,
    output,
    errors,
    auth,
    audience,
    scopes,
    body,
    reply,
    deadlineMs,
    repeatable,
    maxBytes,
  }
}

export function event<P extends z.ZodType>(subject: string, when: string, payload: P): Event<P> {
  return { kind: 'event', subject, when, payload }
}

/** Adds `bytes` to the JSON part of a `bytes` body. An empty JSON part (`Record<string, never>`) would forbid it, so it is left out. */
type WithBytes<T, K extends BodyKind> = K extends 'bytes' ? (string extends keyof T ? Bytes : T & Bytes) : T
interface Bytes {
  readonly bytes: Uint8Array
}

// Parsing fills in defaults, so the sender of a request or reply passes `z.input` and its receiver gets `z.output`.
export type CallInput<Q> = Q extends Request<infer I, z.ZodType, infer B> ? WithBytes<z.input<I>, B> : never
export type HandlerInput<Q> = Q extends Request<infer I, z.ZodType, infer B> ? WithBytes<z.output<I>, B> : never
export type HandlerOutput<Q> = Q extends Request<z.ZodType, infer O, BodyKind, infer R> ? WithBytes<z.input<O>, R> : never
export type CallOutput<Q> = Q extends Request<z.ZodType, infer O, BodyKind, infer R> ? WithBytes<z.output<O>, R> : never

export type RequestNames<C extends Contract> = { [K in keyof C]: C[K] extends Request ? K : never }[keyof C]

export const requestsOf = (contract: Contract): [string, Request][] =>
  Object.entries(contract).filter((entry): entry is [string, Request] => entry[1].kind === 'request')

export const eventsOf = (contract: Contract): [string, Event][] =>
  Object.entries(contract).filter((entry): entry is [string, Event] => entry[1].kind === 'event')
