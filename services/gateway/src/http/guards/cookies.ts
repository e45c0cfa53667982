import type { IncomingHttpHeaders } from 'node:http'

interface CookieOptions {
  /** Seconds; 0 deletes. */
  readonly maxAge: number
  readonly httpOnly: boolean
  readonly sameSite: 'Lax' | 'Strict'
  readonly secure: boolean
}

/** The first cookie of that name. Ours hold only characters that need no quoting. */
export function cookieOf({ cookie }: IncomingHttpHeaders, name: string): string | undefined {
  if (cookie === undefined) return undefined
  for (const pair of cookie.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

export function setCookie(name: string, value: string, { maxAge, httpOnly, sameSite, secure }: CookieOptions): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; SameSite=${sameSite}${httpOnly ? '; HttpOnly' : ''}${secure ? '; Secure' : ''}`
}
