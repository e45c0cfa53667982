import { hash } from 'node:crypto'

/** Weak (RFC 9110 section 8.8.1), because the compressed form of the same answer has it, too. */
export const weakEtag = (payload: Uint8Array): string => `W/"${hash('sha256', payload, 'base64url')}"`

/**
 * RFC 9110 section 13.1.2: `If-None-Match` is `*` or a list of entity tags, compared weakly, so without the `W/` before them. Tags may
 * contain commas: the list cannot be split there.
 */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.match(/"[^"]*"/g)?.includes(etag.replace(/^W\//, '')) === true
}
