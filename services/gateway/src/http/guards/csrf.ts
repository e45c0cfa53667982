import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { AppError } from '@youworker/contracts/errors'
import { parse as parseCookies } from 'hono/utils/cookie'
import { isFromOwnPage } from './cors.ts'

export const CSRF_COOKIE = 'youworker_csrf'

/** `lenient`: published clients of this route send no token; a request without one must then come from a page of ours. */
export type CsrfRule = 'required' | 'lenient'

/**
 * Double submit: the same token in a header and in a cookie that only our origin can read. It is signed and bound to the
 * session, so a cookie set by a sibling host is useless (OWASP CSRF cheat sheet, signed double-submit cookie).
 */
export class Csrf {
  readonly #secret: string
  readonly #origins: ReadonlySet<string>

  constructor(secret: string, origins: ReadonlySet<string>) {
    this.#secret = secret
    this.#origins = origins
  }

  /** The token is valid as long as the session `sid`. */
  issue(sid: string): string {
    const nonce = randomBytes(16).toString('base64url')
    return `${nonce}.${this.#sign(sid, nonce)}`
  }

  isValid(token: string, sid: string): boolean {
    const [nonce, signature, ...rest] = token.split('.')
    if (!nonce || !signature || rest.length > 0) return false
    return isSame(signature, this.#sign(sid, nonce))
  }

  /** Throws `CSRF_VALIDATION_FAILED`. */
  require(headers: IncomingHttpHeaders, sid: string, rule: CsrfRule): void {
    const header = headers['x-csrf-token']
    if (header === undefined && rule === 'lenient' && isFromOwnPage(headers, this.#origins)) return
    const cookie = parseCookies(headers.cookie ?? '', CSRF_COOKIE)[CSRF_COOKIE]
    if (typeof header === 'string' && cookie !== undefined && isSame(header, cookie) && this.isValid(header, sid)) return
    const message = 'The CSRF token is missing or does not fit the session: GET /v1/auth/csrf-token, then send it as X-CSRF-Token'
    throw new AppError('CSRF_VALIDATION_FAILED', message)
  }

  #sign(sid: string, nonce: string): string {
    return createHmac('sha256', this.#secret).update(`csrf ${sid} ${nonce}`).digest('base64url')
  }
}

/** Compares in a time that tells nothing about where they differ. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
