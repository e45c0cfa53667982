import { AppError } from '@youworker/contracts/errors'
import { detached } from '@youworker/runtime/current-request'
import { type CryptoKey, importJWK } from 'jose'

/** Anyone can send a token with an unknown key id, so the keys are read at most this often. */
const READ_AGAIN_AFTER_MS = 1_000

type ListKeys = () => Promise<{ readonly keys: readonly Record<string, unknown>[] }>

/** The public keys of access tokens, by id. Read at start and again for an unknown id. */
export class KeySet {
  readonly #listKeys: ListKeys
  #keys: ReadonlyMap<string, CryptoKey> | undefined
  #reading: Promise<void> | undefined
  #readAt = -Infinity
  #failure: AppError | undefined

  constructor(listKeys: ListKeys) {
    this.#listKeys = listKeys
  }

  /** Returns `undefined` when there is no such key. Throws `SERVICE_UNAVAILABLE` when the keys could not be read. */
  async find(kid: string): Promise<CryptoKey | undefined> {
    const known = this.#keys?.get(kid)
    if (known) return known
    if (this.#reading || performance.now() - this.#readAt > READ_AGAIN_AFTER_MS) await this.read()
    if (this.#failure) throw this.#failure
    return this.#keys?.get(kid)
  }

  /** Throws `SERVICE_UNAVAILABLE` until keys were read once. */
  async check(): Promise<void> {
    if (!this.#keys) await this.read()
    if (!this.#keys && this.#failure) throw this.#failure
  }

  read(): Promise<void> {
    this.#reading ??= detached(() => this.#read()).finally(() => {
      this.#reading = undefined
      this.#readAt = performance.now()
    })
    return this.#reading
  }

  async #read(): Promise<void> {
    try {
      const { keys } = await this.#listKeys()
      const found = new Map<string, CryptoKey>()
      for (const key of keys) {
        const { kty, kid, n, e } = key
        if (kty !== 'RSA' || typeof kid !== 'string' || typeof n !== 'string' || typeof e !== 'string') continue
        const imported = await importJWK({ kty, n, e, alg: 'RS256', use: 'sig' })
        if (!(imported instanceof Uint8Array)) found.set(kid, imported)
      }
      this.#keys = found
      this.#failure = undefined
    } catch (cause) {
      const message = 'Sign-ins cannot be checked while the auth service is away; try again'
      this.#failure = new AppError('SERVICE_UNAVAILABLE', message, { cause, retryAfter: 1 })
    }
  }
}
