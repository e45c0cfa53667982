import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { auth, Revocation } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import type { Client } from '@youworker/messaging/requests/client'
import type { Caller } from '@youworker/messaging/requests/server'
import type { TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { cookieOf } from './cookies.ts'

export const SESSION_COOKIE = 'youworker_token'

/** How long an exchanged credential is believed without asking auth again. */
const KEEP_MS = 60_000
const MAX_KEPT = 10_000
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

/** What a request carries. A header is meant; a cookie just comes along, so it counts last. */
export function readCredential(headers: IncomingHttpHeaders): Credential | undefined {
  const key = headers['x-api-key'] ?? headers['x-authentik-api-key']
  if (typeof key === 'string' && key !== '') return { kind: 'api_key', secret: key }
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearerCredential(bearer)
  const secret = cookieOf(headers, SESSION_COOKIE)
  return secret ? { kind: 'session', secret } : undefined
}

/** API keys come as bearer tokens too: that is how clients of OpenAI send them. */
export const bearerCredential = (secret: string): Credential => ({ kind: JWT.test(secret) ? 'jwt' : 'api_key', secret })

export const notAuthenticated = (): AppError =>
  new AppError('NOT_AUTHENTICATED', 'Not authenticated: sign in at POST /v1/auth/login, or send X-API-Key or a bearer token')

/** Whether a revocation ends what `caller` may do. */
export const isRevoked = ({ sid, sub }: Pick<Revocation, 'sid' | 'sub'>, caller: Pick<Caller, 'sid' | 'user_id'>): boolean =>
  sid === null ? sub === caller.user_id : sid === caller.sid

interface Kept {
  readonly token: string
  readonly until: number
  caller: Caller
}

type CredentialExchange = Pick<Client<typeof auth>, 'exchangeCredential'>

/** Credential -> verified caller. Every request checks expiry and deny-list again, whatever is kept. */
export class Authenticator implements Disposable {
  readonly #auth: CredentialExchange
  readonly #verifier: Pick<TokenVerifier, 'verify' | 'onRevoked'>
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<Kept>>()
  readonly #revocations: Disposable

  constructor(authClient: CredentialExchange, verifier: Pick<TokenVerifier, 'verify' | 'onRevoked'>) {
    this.#auth = authClient
    this.#verifier = verifier
    this.#revocations = verifier.onRevoked((revocation) => this.#forget(revocation))
  }

  /** `admit` runs before a credential that is not known is looked up; it may refuse by throwing. */
  async authenticate(credential: Credential, admit?: () => void): Promise<Identity> {
    const { kind, secret } = credential
    if (secret.length > (kind === 'jwt' ? MAX_JWT : MAX_SECRET)) throw notAuthenticated()
    if (kind === 'jwt') return { caller: await this.#verifier.verify(secret, ['api']), credential }
    const key = createHash('sha256').update(kind).update(secret).digest('base64')
    const kept = this.#kept.get(key)
    if (kept && kept.until > Date.now()) {
      try {
        return { caller: await this.#verifier.verify(kept.token, ['api']), credential }
      } catch (error) {
        this.#kept.delete(key)
        if (!(error instanceof AppError) || error.code !== 'NOT_AUTHENTICATED') throw error
      }
    }
    admit?.()
    const { caller } = await this.#exchangeOnce(key, credential)
    return { caller, credential }
  }

  /** After a sign-out, so that the next request asks auth even before the revocation has come round. */
  forget({ sid, user_id: sub }: Caller): void {
    this.#forget({ sid, sub })
  }

  [Symbol.dispose](): void {
    this.#revocations[Symbol.dispose]()
  }

  /** Many requests may bring the same new credential at once: one of them asks. */
  #exchangeOnce(key: string, credential: Credential): Promise<Kept> {
    const running = this.#asking.get(key)
    if (running) return running
    const asking = this.#exchange(key, credential).finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }

  async #exchange(key: string, { kind, secret }: Credential): Promise<Kept> {
    const { access_token, token_expires_at } = await this.#auth.exchangeCredential({
      kind: kind === 'session' ? 'session' : 'api_key',
      secret,
    })
    const caller = await this.#verifier.verify(access_token, ['api'])
    const life = Date.parse(token_expires_at) - Date.now()
    const kept = { token: access_token, caller, until: Date.now() + Math.min(KEEP_MS, life / 2) }
    if (this.#kept.size >= MAX_KEPT) this.#dropOldest()
    this.#kept.set(key, kept)
    return kept
  }

  #forget(revocation: Pick<Revocation, 'sid' | 'sub'>): void {
    for (const [key, { caller }] of this.#kept) if (isRevoked(revocation, caller)) this.#kept.delete(key)
  }

  #dropOldest(): void {
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined) this.#kept.delete(oldest)
  }
}
