import { serialize } from 'hono/utils/cookie'
import { SESSION_COOKIE } from './authenticate.ts'
import { CSRF_COOKIE } from './csrf.ts'
import { DEVICE_COOKIE } from './known-device.ts'

/** Longest life of a session, in seconds; auth ends an idle session earlier. */
export const SESSION_S = 30 * 24 * 3600
/** A browser that signs in at least this often stays a known device. In seconds. */
const DEVICE_S = 180 * 24 * 3600

export interface Cookies {
  /** Whether browsers send the cookies over HTTPS only. */
  readonly secureCookies: boolean
}

export const sessionCookie = (value: string, maxAge: number, { secureCookies }: Cookies): string =>
  serialize(SESSION_COOKIE, value, { path: '/', maxAge, httpOnly: true, sameSite: 'Lax', secure: secureCookies })
export const csrfCookie = (value: string, maxAge: number, { secureCookies }: Cookies): string =>
  serialize(CSRF_COOKIE, value, { path: '/', maxAge, sameSite: 'Strict', secure: secureCookies })
/** It stays after a sign-out. */
export const deviceCookie = (value: string, { secureCookies }: Cookies): string =>
  serialize(DEVICE_COOKIE, value, { path: '/', maxAge: DEVICE_S, httpOnly: true, sameSite: 'Lax', secure: secureCookies })
