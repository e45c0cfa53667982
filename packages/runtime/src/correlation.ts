import { randomUUID } from 'node:crypto'
import { newId } from './id.ts'

const CORRELATION_ID = /^[A-Za-z0-9._-]{1,64}$/
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** An id that a caller gave, if it is valid. */
export const readCorrelationId = (value: unknown): string | undefined =>
  typeof value === 'string' && CORRELATION_ID.test(value) ? value : undefined
export const newCorrelationId = newId

/** The value of a header `traceparent` (W3C Trace Context), if it is valid: version 00, and neither id all zeros. */
export const readTraceparent = (value: unknown): string | undefined =>
  typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined

/** Of a new trace: one that is recorded where traces are, or one that never is. */
export const newTraceparent = (flags: '01' | '00' = '01'): string => `00-${randomHex()}-${randomHex().slice(16)}-${flags}`

/** The part that all spans of one trace share. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35)

/** 32 hex digits. Node caches random bytes for UUIDs, so this takes a sixth of the time of `randomBytes`. */
const randomHex = (): string => randomUUID().replaceAll('-', '')
