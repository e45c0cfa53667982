import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { parseAccept } from 'hono/utils/accept'

const compress = promisify(gzip)

/** What is smaller stays as it is. In bytes. */
const LEAST_BYTES = 1_024
/** At a time, so that a flood of large answers leaves threads for files and look-ups: node has four. */
const MOST = 2
/** Takes two thirds of the time of zlib's own choice and leaves a fifth more bytes, measured with /openapi.json. */
const LEVEL = 4

/** RFC 9110 section 12.5.3. A client that sends no `Accept-Encoding` may not know gzip. */
export function acceptsGzip({ 'accept-encoding': header }: IncomingHttpHeaders): boolean {
  if (header === undefined) return false
  const accepted = parseAccept([header].flat().join())
  const weightOf = (coding: string) => accepted.find(({ type }) => type.toLowerCase() === coding)?.q
  return (weightOf('gzip') ?? weightOf('*') ?? 0) > 0
}

/** Compresses off the event loop. */
export class Compressor {
  #running = 0

  /** `undefined` when the payload is to be sent as it is: it is small, or enough others are compressed at the moment. */
  async gzip(payload: Uint8Array): Promise<Buffer | undefined> {
    if (payload.length < LEAST_BYTES || this.#running >= MOST) return undefined
    this.#running += 1
    try {
      return await compress(payload, { level: LEVEL })
    } finally {
      this.#running -= 1
    }
  }
}
