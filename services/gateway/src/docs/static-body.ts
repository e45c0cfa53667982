import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { acceptsGzip } from '../http/answers/compressor.ts'
import { matchesEtag } from '../http/answers/etag.ts'
import { Reply } from '../http/answers/reply.ts'

const compress = promisify(gzip)

/** Body of an answer that is the same for everybody: hashed and compressed once. */
export class StaticBody {
  /** The first 16 hex digits of its SHA-256. */
  readonly version: string
  readonly #type: string
  readonly #bytes: Uint8Array
  readonly #small: Uint8Array

  private constructor(type: string, bytes: Uint8Array, small: Uint8Array) {
    this.version = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    this.#type = type
    this.#bytes = bytes
    this.#small = small
  }

  static async of(type: string, content: string | Uint8Array): Promise<StaticBody> {
    const bytes = Buffer.from(content)
    return new StaticBody(type, bytes, await compress(bytes))
  }

  reply({ headers }: Pick<IncomingMessage, 'headers'>, cacheControl: string, more: Readonly<Record<string, string>> = {}): Reply {
    const etag = `W/"${this.version}"`
    const own = { ...more, etag, 'cache-control': cacheControl, vary: 'Origin, Accept-Encoding' }
    if (matchesEtag(headers['if-none-match'], etag)) return new Reply(304, undefined, own)
    const isSmall = this.#small.length < this.#bytes.length && acceptsGzip(headers)
    const type = { 'content-type': this.#type }
    if (!isSmall) return new Reply(200, this.#bytes, { ...own, ...type })
    return new Reply(200, this.#small, { ...own, ...type, 'content-encoding': 'gzip' })
  }
}

/** Makes the body at its first use. A failure is tried again at the next one. */
export function onFirstUse(make: () => Promise<StaticBody>): () => Promise<StaticBody> {
  let made: Promise<StaticBody> | undefined
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}
