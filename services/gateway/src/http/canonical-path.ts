/** The path of a request target, still percent-encoded. `/api/v1/*` becomes `/v1/*`, and a slash at the end is dropped. */
export function canonicalPath(target = '/'): string {
  // A proxy may send the absolute form (RFC 9112 section 3.2.2).
  const url = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '')
  const at = url.indexOf('?')
  const path = at === -1 ? url : url.slice(0, at)
  const bare = path.startsWith('/api/v1/') ? path.slice(4) : path
  return bare.length > 1 && bare.endsWith('/') ? bare.slice(0, -1) : bare
}
