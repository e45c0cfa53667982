import type { OutgoingHttpHeaders } from 'node:http'
import { COMPRESSIBLE_CONTENT_TYPE_REGEX } from 'hono/utils/compress'
import { acceptsGzip, type Compressor } from './compressor.ts'
import type { Route, RouteDescription } from '../define-route.ts'
import { matchesEtag, weakEtag } from './etag.ts'
import { type Reply, send } from './reply.ts'
import type { RequestContext } from '../request-context.ts'

/** Browsers keep it and ask each time whether it is still the same. */
export const REVALIDATED = 'private, no-cache'

/** Whether the route's answers have an entity tag. */
export const isTagged = ({ method, auth, answer, media, status, holdsSecret }: RouteDescription): boolean =>
  method === 'GET' && auth === 'required' && answer !== undefined && media === undefined && status === 200 && !holdsSecret

/** Sends what a handler returned: what callers read with an entity tag, and large texts compressed, unless they hold a secret. */
export async function sendAnswer(context: RequestContext, route: Route, reply: Reply, compressor: Compressor): Promise<void> {
  const { status, body } = reply
  if (body === undefined) return send(context, status, body, reply.headers)
  const payload = bytesOf(body)
  const headers: OutgoingHttpHeaders = { 'content-type': 'application/json', ...reply.headers }
  const isCompressible =
    !route.holdsSecret &&
    headers['content-encoding'] === undefined &&
    COMPRESSIBLE_CONTENT_TYPE_REGEX.test(String(headers['content-type']))
  if (isCompressible) headers['vary'] = 'Origin, Accept-Encoding'
  if (status === 200 && isTagged(route) && headers['cache-control'] === undefined) {
    const etag = weakEtag(payload)
    Object.assign(headers, { etag, 'cache-control': REVALIDATED })
    if (matchesEtag(context.incoming.headers['if-none-match'], etag)) {
      const { 'content-type': _type, ...rest } = headers
      return send(context, 304, undefined, rest)
    }
  }
  const small = isCompressible && acceptsGzip(context.incoming.headers) ? await compressor.gzip(payload) : undefined
  if (small) return send(context, status, small, { ...headers, 'content-encoding': 'gzip' })
  send(context, status, payload, headers)
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
