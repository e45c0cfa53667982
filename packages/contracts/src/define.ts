import type { z } from 'zod'
import type { ErrorCode } from './errors.ts'
import { WAIT } from './limits.ts'

/** `user`: serve verifies the caller's token. `service`: the NATS permission is the proof. `none`: sign-in, keys, health. */
export type AuthKind = 'user' | 'service' | 'none'
/** `api`: tokens of people and their clients. `run`: the short tokens of an agent's run. */
export type Audience = 'api' | 'run'
/** With `bytes`, the JSON part travels as one line in the header `Args` and the payload is raw. */
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
  /** Codes a caller may branch on, beside those that may always cross. Any other failure reaches it as `INTERNAL_ERROR`. */
  readonly errors: readonly ErrorCode[]
  readonly auth: A
  readonly audience: readonly Audience[]
  readonly body: B
  readonly reply: R
  readonly deadlineMs: number
  /** Whether a caller may send it again when it does not know what became of the first try. */
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
  body?: B
  reply?: R
  deadlineMs?: number
  repeatable?: boolean
}

export function request<
  I extends z.ZodType,
  O extends z.ZodType,
  B extends BodyKind = 'json',
  R extends BodyKind = 'json',
  A extends AuthKind = 'user',
>(subject: string, def: RequestDefinition<I, O, B, R, A>): Request<I, O, B, R, A> {
  const { input, output, errors = [], auth = 'user' as A, audience = ['api'], deadlineMs = WAIT.request } = def
  const { body = 'json' as B, reply = 'json' as R, repeatable = false } = def
  return { kind: 'request', subject, input, output, errors, auth, audience, body, reply, deadlineMs, repeatable }
}

export function event<P extends z.ZodType>(subject: string, when: string, payload: P): Event<P> {
  return { kind: 'event', subject, when, payload }
}

/** `bytes` beside the JSON part, where the contract says so; an empty JSON part (`Record<string, never>`) forbids no `bytes`. */
type WithBytes<T, K extends BodyKind> = K extends 'bytes' ? (string extends keyof T ? Bytes : T & Bytes) : T
interface Bytes {
  readonly bytes: Uint8Array
}

/** What a caller passes, what a handler gets, what a handler returns, what a caller gets. */
export type CallInput<Q> = Q extends Request<infer I, z.ZodType, infer B> ? WithBytes<z.input<I>, B> : never
export type HandlerInput<Q> = Q extends Request<infer I, z.ZodType, infer B> ? WithBytes<z.output<I>, B> : never
export type HandlerOutput<Q> = Q extends Request<z.ZodType, infer O, BodyKind, infer R> ? WithBytes<z.input<O>, R> : never
export type CallOutput<Q> = Q extends Request<z.ZodType, infer O, BodyKind, infer R> ? WithBytes<z.output<O>, R> : never

export type RequestNames<C extends Contract> = { [K in keyof C]: C[K] extends Request ? K : never }[keyof C]

export const requestsOf = (contract: Contract): [string, Request][] =>
  Object.entries(contract).filter((entry): entry is [string, Request] => entry[1].kind === 'request')

export const eventsOf = (contract: Contract): [string, Event][] =>
  Object.entries(contract).filter((entry): entry is [string, Event] => entry[1].kind === 'event')
