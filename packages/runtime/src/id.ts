import { randomUUIDv7 } from 'node:crypto'

/** A UUIDv7 (RFC 9562 section 5.7): sorts by creation time. */
export const newId = (): string => randomUUIDv7()

/** When the id was made, in ms since 1970: its first 48 bits. */
export const timeOfId = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)
