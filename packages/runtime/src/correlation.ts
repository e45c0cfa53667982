import { randomUUID } from 'node:crypto'
import { newId } from './id.ts'

const CORRELATION_ID = /^[A-Za-z0-9._-]{1,64}$/
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/

export const isCorrelationId = (value: string): boolean => CORRELATION_ID.test(value)
export const newCorrelationId = newId

/** A W3C trace context for a new span: in the parent's trace when there is a valid parent, else in a new one. */
export function newTraceparent(parent?: string): string {
  const trace = parent === undefined ? undefined : TRACEPARENT.exec(parent)?.[1]
  return `00-${trace ?? randomHex()}-${randomHex().slice(16)}-01`
}

/** 32 digits. Node keeps random bytes for UUIDs in stock, so this costs a sixth of `randomBytes`. */
const randomHex = (): string => randomUUID().replaceAll('-', '')
