import type { Audience } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Caller } from '../requests/context.ts'
import { LONGEST_TOKEN_MS } from './deny-list.ts'
import type { KeySet } from './key-set.ts'

const ISSUER = 'youworker'
const MAX_TOKEN_CHARACTERS = 4_096

const Claims = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  aud: z.enum(['api', 'run'] satisfies Audience[]),
  root: z.boolean(),
  scopes: z.array(z.string()),
  jti: z.string(),
  iat: z.number(),
  exp: z.number(),
})

export interface VerifiedToken {
  readonly caller: Caller
  /** Both epoch ms. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Checks signature, issuer, lifetime and claims of an access token. Throws `NOT_AUTHENTICATED` when any of them is wrong. */
export async function readToken(token: string, keys: KeySet): Promise<VerifiedToken> {
  try {
    if (token.length > MAX_TOKEN_CHARACTERS) throw new Error('longer than an access token can be')
    const { alg, kid } = decodeProtectedHeader(token)
    if (alg !== 'RS256' || kid === undefined) throw new Error('not an RS256 token with a key id')
    const key = await keys.find(kid)
    if (!key) throw new Error('signed with an unknown key')
    const { payload } = await jwtVerify(token, key, { algorithms: ['RS256'], issuer: ISSUER, requiredClaims: ['exp', 'iat'] })
    const claims = Claims.parse(payload)
    const expiresAt = claims.exp * 1_000
    if (expiresAt - claims.iat * 1_000 > LONGEST_TOKEN_MS) throw new Error('lives longer than an access token may')
    const { sub: user_id, sid, root: is_root, scopes, aud } = claims
    const caller = Object.freeze({ user_id, sid, is_root, scopes: Object.freeze(scopes), aud, token })
    return { caller, issuedAt: issuedAt(claims), expiresAt }
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const hint = cause instanceof errors.JWTExpired ? 'the token has expired' : 'the token is not valid'
    throw new AppError('NOT_AUTHENTICATED', `Not authenticated: ${hint}; sign in again`, { cause })
  }
}

/**
 * `iat` is in whole seconds: a token issued before a revocation and one of a new sign-in in the same second would look alike. A
 * UUIDv7 token id (RFC 9562 section 5.7) holds the millisecond, and it is signed as well.
 */
function issuedAt({ jti, iat }: { jti: string; iat: number }): number {
  const fromIat = iat * 1_000
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(jti)) return fromIat
  const fromId = Number.parseInt(jti.slice(0, 8) + jti.slice(9, 13), 16)
  return Math.abs(fromId - fromIat) < 2_000 ? fromId : fromIat
}
