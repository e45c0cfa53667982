import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { newSecret } from '@youworker/runtime/secret'
import { parse as parseCookies } from 'hono/utils/cookie'
import { isSame } from './csrf.ts'

export const DEVICE_COOKIE = 'youworker_device'

/**
 * The secret that a browser gets at its first sign-in and keeps after a sign-out, by which auth knows it again. It is signed, so
 * that limits can count by it: only a browser that has signed in can have one.
 */
export class KnownDevices {
  readonly #secret: string

  constructor(secret: string) {
    this.#secret = secret
  }

  /** The device's secret, when the cookie is one that was issued here. */
  read(headers: IncomingHttpHeaders): string | undefined {
    const [secret, signature] = (parseCookies(headers.cookie ?? '', DEVICE_COOKIE)[DEVICE_COOKIE] ?? '').split('.')
    return secret && signature && isSame(signature, this.#sign(secret)) ? secret : undefined
  }

  /** For a browser without one. */
  create(): string {
    return newSecret()
  }

  /** The cookie's value. */
  valueOf(secret: string): string {
    return `${secret}.${this.#sign(secret)}`
  }

  #sign(secret: string): string {
    return createHmac('sha256', this.#secret).update(`device ${secret}`).digest('base64url')
  }
}
