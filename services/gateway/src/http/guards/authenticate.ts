import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { auth, Revocation } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import { parse as parseCookies } from 'hono/utils/cookie'
import { LRUCache } from 'lru-cache'
import type { Client } from '@youworker/messaging/requests/client'
import type { Caller } from '@youworker/messaging/requests/server'
import type { TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { sha256Hex } from '@youworker/runtime/secret'

export const SESSION_COOKIE = 'youworker_token'

/** How long the token of an exchanged credential is used before auth is asked again. */
const CACHE_MS = 60_000
const MAX_CACHED = 10_000
/** For how long a credential that was right needs no admission, so that nobody at the same address can spend it. */
const PROVEN_MS = 24 * 3_600_000
const MAX_PROVEN = 50_000
const MAX_SECRET = 512
const MAX_JWT = 4_096
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

export interface Credential {
  readonly kind: 'session' | 'api_key' | 'jwt'
  readonly secret: string
}

export interface Identity {
  readonly caller: Caller
  readonly credential: Credential
}

/** The cookie counts last: browsers send it with every request, a header is set on purpose. */
export function readCredential(headers: IncomingHttpHeaders): Credential | undefined {
  const key = headers['x-api-key'] ?? headers['x-authentik-api-key']
  if (typeof key === 'string' && key !== '') return { kind: 'api_key', secret: key }
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearerCredential(bearer)
  const secret = parseCookies(headers.cookie ?? '', SESSION_COOKIE)[SESSION_COOKIE]
  return secret ? { kind: 'session', secret } : undefined
}

/** A bearer token may also be an API key, because OpenAI clients send theirs as one. */
export const bearerCredential = (secret: string): Credential => ({ kind: JWT.test(secret) ? 'jwt' : 'api_key', secret })

export const notAuthenticated = (): AppError =>
  new AppError('NOT_AUTHENTICATED', 'Not authenticated: sign in at POST /v1/auth/login, or send X-API-Key or a bearer token')

/** Whether a revocation covers `caller`: their session, or all sessions of the user when it names none. */
export const isRevoked = ({ sid, sub }: Pick<Revocation, 'sid' | 'sub'>, caller: Pick<Caller, 'sid' | 'user_id'>): boolean =>
  sid === null ? sub === caller.user_id : sid === caller.sid

interface Exchanged {
  readonly token: string
  readonly caller: Caller
}

type CredentialExchange = Pick<Client<typeof auth>, 'exchangeCredential'>

/** Turns a credential into a verified caller. Expiry and deny-list are checked at every request, also of cached credentials. */
export class Authenticator implements Disposable {
  readonly #auth: CredentialExchange
  readonly #verifier: Pick<TokenVerifier, 'verify' | 'onRevoked'>
  readonly #cache = new LRUCache<string, Exchanged>({ max: MAX_CACHED, ttlResolution: 1_000 })
  readonly #proven = new LRUCache<string, true>({ max: MAX_PROVEN, ttl: PROVEN_MS, ttlResolution: 1_000 })
  readonly #exchanging = new Map<string, Promise<Exchanged>>()
  readonly #revocations: Disposable

  constructor(authClient: CredentialExchange, verifier: Pick<TokenVerifier, 'verify' | 'onRevoked'>) {
    this.#auth = authClient
    this.#verifier = verifier
    this.#revocations = verifier.onRevoked((revocation) => this.#forget(revocation))
  }

  /** `admit` runs before auth is asked about a credential that was never right here; it may refuse by throwing. */
  async authenticate(credential: Credential, admit?: () => void): Promise<Identity> {
    const { kind, secret } = credential
    if (secret.length > (kind === 'jwt' ? MAX_JWT : MAX_SECRET)) throw notAuthenticated()
    if (kind === 'jwt') return { caller: await this.#verifier.verify(secret, ['api']), credential }
    const key = createHash('sha256').update(kind).update(secret).digest('base64')
    const cached = this.#cache.get(key)
    if (cached) {
      try {
        return { caller: await this.#verifier.verify(cached.token, ['api']), credential }
      } catch (error) {
        this.#cache.delete(key)
        if (!(error instanceof AppError) || error.code !== 'NOT_AUTHENTICATED') throw error
      }
    }
    if (!this.#proven.has(key)) admit?.()
    const { caller } = await this.#exchangeOnce(key, credential)
    return { caller, credential }
  }

  /** After a sign-out, so that the next request asks auth even before the revocation event arrives. */
  forget({ sid, user_id: sub }: Caller): void {
    this.#forget({ sid, sub })
  }

  [Symbol.dispose](): void {
    this.#revocations[Symbol.dispose]()
  }

  /** Requests that bring the same new credential at the same time share one call to auth. */
  #exchangeOnce(key: string, credential: Credential): Promise<Exchanged> {
    const running = this.#exchanging.get(key)
    if (running) return running
    const exchanging = this.#exchange(key, credential).finally(() => this.#exchanging.delete(key))
    this.#exchanging.set(key, exchanging)
    return exchanging
  }

  async #exchange(key: string, { kind, secret }: Credential): Promise<Exchanged> {
    const { access_token, token_expires_at } = await this.#auth
      .exchangeCredential({ kind: kind === 'session' ? 'session' : 'api_key', secret_sha256: sha256Hex(secret) })
      .catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') this.#proven.delete(key)
        throw error
      })
    const caller = await this.#verifier.verify(access_token, ['api'])
    const exchanged = { token: access_token, caller }
    // At least 1 ms, because a TTL of 0 would never expire.
    const halfLife = Math.max(1, (Date.parse(token_expires_at) - Date.now()) / 2)
    this.#cache.set(key, exchanged, { ttl: Math.min(CACHE_MS, halfLife) })
    this.#proven.set(key, true)
    return exchanged
  }

  #forget(revocation: Pick<Revocation, 'sid' | 'sub'>): void {
    const revoked = [...this.#cache.entries()].filter(([, { caller }]) => isRevoked(revocation, caller))
    for (const [key] of revoked) this.#cache.delete(key)
  }
}
