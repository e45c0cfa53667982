import { randomUUIDv7 } from 'node:crypto'

/** A UUIDv7 (RFC 9562 section 5.7): sorts by creation time. */
export const newId = (): string => randomUUIDv7()
