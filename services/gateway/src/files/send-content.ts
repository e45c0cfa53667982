import type { ServerResponse } from 'node:http'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { type ByteRange, readRange } from './byte-range.ts'
import type { Clients } from '../clients.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import type { RequestContext } from '../http/request-context.ts'
import { matchesEtag } from '../http/answers/etag.ts'
import { Reply, SENT } from '../http/answers/reply.ts'
import { REVALIDATED } from '../http/answers/send-answer.ts'

interface Content {
  readonly blob_id: string
  readonly name: string
  readonly mime: string
  readonly size: number
  readonly sha256: string
}

export interface ContentDeps extends Pick<Clients, 'ingestion'> {
  readonly authenticator: Authenticator
  readonly streams: OpenStreams
}

/** RFC 6266: an ASCII name for old clients beside the exact one in UTF-8. */
function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const exact = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}

/** An upload may be hostile: it is never shown in our origin, its type is never guessed, and it runs nothing. */
const contentHeaders = ({ name, mime, sha256 }: Content) => ({
  'content-type': /^[\w.+-]+\/[\w.+-]+$/.test(mime) ? mime : 'application/octet-stream',
  'content-disposition': attachment(name.split('/').at(-1) || 'document'),
  'content-security-policy': "default-src 'none'; sandbox",
  'accept-ranges': 'bytes',
  'cache-control': REVALIDATED,
  etag: `"${sha256}"`,
})

/** Sends the file, or one range of it, part by part as fast as the client reads. */
export async function sendContent(content: Content, context: RequestContext, deps: ContentDeps): Promise<Reply> {
  const { headers, method } = context.incoming
  const own = contentHeaders(content)
  if (matchesEtag(headers['if-none-match'], own.etag)) return new Reply(304, undefined, own)
  const isSame = headers['if-range'] === undefined || headers['if-range'] === own.etag
  const range = isSame ? readRange(headers.range, content.size) : undefined
  if (range === 'unsatisfiable') {
    const error = new AppError('VALIDATION_ERROR', `The file has ${content.size} bytes; the range lies outside`)
    return new Reply(416, errorBody(error, context.correlationId), { 'content-range': `bytes */${content.size}` })
  }
  const { first, last } = range ?? { first: 0, last: content.size - 1 }
  const more = range ? { 'content-range': `bytes ${first}-${last}/${content.size}` } : {}
  const all = context.headers({ ...own, ...more, 'content-length': last - first + 1 })
  const parts = method === 'HEAD' || last < first ? undefined : readParts(content, { first, last }, context, deps)
  // The answer begins when there is something to send; until then an error can be told.
  const begin = await parts?.next()
  context.deadline.lift()
  context.outgoing.writeHead(range ? 206 : 200, all)
  if (parts && begin?.value) await writeParts(begin.value, parts, context, deps)
  context.outgoing.end()
  return SENT
}

async function* readParts(
  { blob_id }: Content,
  { first, last }: ByteRange,
  context: RequestContext,
  deps: ContentDeps,
): AsyncGenerator<Uint8Array, undefined> {
  for (let index = Math.floor(first / LIMITS.part); index * LIMITS.part <= last; index++) {
    if (context.outgoing.destroyed) return
    const client = deps.ingestion.as(await context.renewedScope(deps.authenticator))
    const { bytes } = await client.readBlob({ blob_id, index })
    const start = index * LIMITS.part
    yield bytes.subarray(Math.max(0, first - start), Math.min(bytes.length, last - start + 1))
  }
}

async function writeParts(
  begin: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
  context: RequestContext,
  { streams }: ContentDeps,
): Promise<void> {
  const { outgoing } = context
  using _entry = streams.add(context.caller, (why) => (why === 'revoked' ? outgoing.destroy() : undefined))
  await write(begin, outgoing)
  for await (const part of rest) await write(part, outgoing)
}

/** Resolves when the client has read enough for the next part, or has left. */
async function write(part: Uint8Array, outgoing: ServerResponse): Promise<void> {
  if (outgoing.destroyed || outgoing.write(part) || outgoing.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  outgoing.once('drain', resolve).once('close', resolve)
  await promise
  outgoing.off('drain', resolve).off('close', resolve)
}
