import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

const ALLOW_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
const ALLOW_HEADERS = [
  'content-type',
  'authorization',
  'x-api-key',
  'x-csrf-token',
  'x-correlation-id',
  'x-authentik-api-key',
  'x-authentik-username',
  'idempotency-key',
  'last-event-id',
  'if-none-match',
  'prefer',
  'tus-resumable',
  'upload-length',
  'upload-metadata',
  'upload-offset',
].join(', ')
const EXPOSE_HEADERS = [
  'content-disposition',
  'content-range',
  'etag',
  'location',
  'preference-applied',
  'retry-after',
  'tus-resumable',
  'tus-version',
  'upload-expires',
  'upload-length',
  'upload-offset',
  'x-correlation-id',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
].join(', ')

/** The request's origin when it is allowed. Only exact matches count, because cookies are sent along. */
export function allowedOrigin(headers: IncomingHttpHeaders, origins: ReadonlySet<string>): string | undefined {
  const { origin } = headers
  return origin !== undefined && origins.has(origin) ? origin : undefined
}

export const corsHeaders = (origin: string): OutgoingHttpHeaders => ({
  'access-control-allow-origin': origin,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': EXPOSE_HEADERS,
})

export const preflightHeaders: OutgoingHttpHeaders = {
  'access-control-allow-methods': ALLOW_METHODS,
  'access-control-allow-headers': ALLOW_HEADERS,
  'access-control-max-age': '600',
}

/**
 * Whether the browser's headers show a page of the gateway, of an allowed origin, or of the same site. A sibling host is the same site
 * and may belong to somebody else: an `Origin` that it sends must be allowed.
 */
export function isFromOwnPage(headers: IncomingHttpHeaders, origins: ReadonlySet<string>): boolean {
  const site = headers['sec-fetch-site']
  if (site === 'same-origin' || allowedOrigin(headers, origins) !== undefined) return true
  return site === 'same-site' && headers.origin === undefined
}

/** Browsers open WebSockets from any page, so the Origin must be missing (no browser), allowed, or the gateway's own. */
export function isSocketOriginAllowed(headers: IncomingHttpHeaders, origins: ReadonlySet<string>): boolean {
  const { origin, host } = headers
  if (origin === undefined || origins.has(origin)) return true
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase()
}
