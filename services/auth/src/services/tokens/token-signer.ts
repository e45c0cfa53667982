import { createPublicKey, type KeyObject } from 'node:crypto'
import { newId } from '@youworker/runtime/id'
import { AppError } from '@youworker/contracts/errors'
import { type Scope, UNLIMITED } from '@youworker/contracts/scopes'
import { calculateJwkThumbprint, compactDecrypt, type JWK, SignJWT } from 'jose'
import { readPrivateKeys } from './private-keys.ts'

/** Lifetime in seconds. Deny-lists and token caches rely on `api` being at most LONGEST_TOKEN_MS. */
const LIFE = { api: 600, run: 300 } as const

export interface Subject {
  readonly user_id: string
  /** Id of the session or key. */
  readonly sid: string
  readonly is_root: boolean
  /** Of a limited key; `null` for all that the user may do. */
  readonly scopes?: readonly Scope[] | null
  /** The token ends no later than this. */
  readonly not_after?: string | null
}

export interface SignedToken {
  readonly token: string
  readonly expires_at: string
}

/**
 * Signs access tokens: RS256 JWTs whose `kid` is the RFC 7638 thumbprint of the key. Decrypts passwords, which travel encrypted for
 * these keys.
 */
export class TokenSigner {
  readonly #key: KeyObject
  readonly #kid: string
  readonly #privateKeys: ReadonlyMap<string, KeyObject>
  /** Public keys, the signing one first. */
  readonly keys: readonly JWK[]

  private constructor(key: KeyObject, kid: string, keys: readonly JWK[], privateKeys: ReadonlyMap<string, KeyObject>) {
    this.#key = key
    this.#kid = kid
    this.#privateKeys = privateKeys
    this.keys = keys
  }

  /** The first private key signs; the public parts of the others stay published, so that their tokens are still accepted. */
  static async create(setting: string): Promise<TokenSigner> {
    const privateKeys = readPrivateKeys(setting)
    const keys = await Promise.all(privateKeys.map(publicJwk))
    const [signing, first] = [privateKeys[0], keys[0]]
    if (!signing || !first) throw new Error('there is no private key')
    return new TokenSigner(signing, first.kid, keys, new Map(keys.map(({ kid }, index) => [kid, privateKeys[index] ?? signing])))
  }

  /** Throws `VALIDATION_ERROR` when the text was not encrypted for one of these keys. */
  async decrypt(jwe: string): Promise<string> {
    const keyOf = ({ kid }: { kid?: string }) => {
      const key = this.#privateKeys.get(kid ?? '')
      if (!key) throw new Error(`no key ${kid}`)
      return key
    }
    const allowed = { keyManagementAlgorithms: ['RSA-OAEP-256'], contentEncryptionAlgorithms: ['A256GCM'] }
    try {
      const { plaintext } = await compactDecrypt(jwe, keyOf, allowed)
      return new TextDecoder('utf-8', { fatal: true }).decode(plaintext)
    } catch (cause) {
      throw new AppError('VALIDATION_ERROR', 'The password was not encrypted for this installation; sign in again', { cause })
    }
  }

  /** For people and their clients. */
  signApi(subject: Subject): Promise<SignedToken> {
    return this.#sign(subject, LIFE.api, 'api', {})
  }

  /** For the agent that acts for the subject in one run. */
  signRun(subject: Subject): Promise<SignedToken> {
    return this.#sign(subject, LIFE.run, 'run', { act: { sub: 'chat-agent' } })
  }

  async #sign(subject: Subject, lifeSeconds: number, audience: string, extra: object): Promise<SignedToken> {
    const now = Math.floor(Date.now() / 1000)
    const last = subject.not_after ? Math.floor(Date.parse(subject.not_after) / 1000) : Infinity
    const expires = Math.min(now + lifeSeconds, last)
    const token = await new SignJWT({ sid: subject.sid, ...rightsOf(subject), ...extra })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: this.#kid })
      .setIssuer('youworker')
      .setSubject(subject.user_id)
      .setAudience(audience)
      .setJti(newId())
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.#key)
    return { token, expires_at: new Date(expires * 1000).toISOString() }
  }
}

/** A limited key never acts as root. `ops` shows what only root may see, so it is worth nothing to others. */
function rightsOf({ is_root, scopes }: Subject): { root: boolean; scopes: string[] } {
  if (!scopes) return { root: is_root, scopes: [UNLIMITED] }
  return { root: false, scopes: scopes.filter((scope) => scope !== 'ops' || is_root) }
}

async function publicJwk(key: KeyObject): Promise<JWK & { kid: string }> {
  const { kty, n, e } = createPublicKey(key).export({ format: 'jwk' }) as JWK
  const jwk = { kty, n, e } as JWK
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'RS256', use: 'sig' }
}
