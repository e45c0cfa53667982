import { auth, type Revocation } from '@youworker/contracts/auth'
import type { Audience } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { detached } from '@youworker/runtime/current-request'
import { LRUCache } from 'lru-cache'
import { createClient } from '../requests/client.ts'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import type { Caller } from '../requests/context.ts'
import { DenyList } from './deny-list.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { subscribeEvent } from '../events/events.ts'
import { KeySet } from './key-set.ts'
import { readToken, type VerifiedToken } from './read-token.ts'

/** Source of keys and revocations: auth reads its own, every other service asks auth. */
export interface KeySource {
  listKeys(): Promise<{ readonly keys: readonly Record<string, unknown>[] }>
  listRevocations(): Promise<{ readonly revocations: readonly Revocation[] }>
}

export interface TokenVerifier extends AsyncDisposable {
  /**
   * Returns the caller of a valid access token. Throws `NOT_AUTHENTICATED` for any other token, `NOT_AUTHORIZED` for one of
   * another audience and `SERVICE_UNAVAILABLE` until keys and revocations were read once.
   */
  verify(token: string, audience: readonly Audience[]): Promise<Caller>
  /** Calls `listener` for each new revocation, to end client streams and clear caches. */
  onRevoked(listener: (revocation: Revocation) => void): Disposable
  /** Health check: passes when keys and revocations were read. */
  check(): Promise<void>
}

const RELOAD_MS = 5_000
const FIRST_LOAD_AGAIN_MS = 500
const CACHED_TOKENS = 4_096

/** Resolves also while auth is down. */
export async function createTokenVerifier(
  nats: NatsConnection,
  { logger, source = sourceOver(nats) }: { logger: Logger; source?: KeySource },
): Promise<TokenVerifier> {
  const verifier = new Verifier(source, logger)
  verifier.use(subscribeEvent(nats, auth.revocationAdded, (revocation) => verifier.revoke(revocation)))
  verifier.use(onReconnect(nats, () => verifier.reload()))
  await verifier.start()
  return verifier
}

function sourceOver(nats: NatsConnection): KeySource {
  const client = createClient(nats, auth)
  return { listKeys: () => client.listKeys({}), listRevocations: () => client.listRevocations({}) }
}

class Verifier implements TokenVerifier {
  readonly #source: KeySource
  readonly #logger: Logger
  readonly #keys: KeySet
  readonly #denied = new DenyList()
  readonly #listeners = new Set<(revocation: Revocation) => void>()
  readonly #verified = new LRUCache<string, VerifiedToken>({ max: CACHED_TOKENS })
  readonly #inputs: Disposable[] = []
  #loaded = false
  #timer: NodeJS.Timeout | undefined
  #loading: Promise<void> | undefined
  #stopped = false

  constructor(source: KeySource, logger: Logger) {
    this.#source = source
    this.#logger = logger
    this.#keys = new KeySet(() => source.listKeys())
  }

  async verify(token: string, audience: readonly Audience[]): Promise<Caller> {
    const { caller, issuedAt, expiresAt } = this.#verified.get(token) ?? (await this.#read(token))
    if (expiresAt <= Date.now()) {
      this.#verified.delete(token)
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the token has expired; sign in again')
    }
    if (!this.#loaded) await this.#loadFirst()
    if (this.#denied.refuses({ sub: caller.user_id, sid: caller.sid, issuedAt })) {
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the session has ended; sign in again')
    }
    if (!audience.includes(caller.aud)) throw new AppError('NOT_AUTHORIZED', 'This token was not made for this request')
    return caller
  }

  onRevoked(listener: (revocation: Revocation) => void): Disposable {
    const entry = (revocation: Revocation) => listener(revocation)
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  async check(): Promise<void> {
    if (!this.#loaded) await this.#loadFirst()
    await this.#keys.check()
  }

  use(input: Disposable): void {
    this.#inputs.push(input)
  }

  async start(): Promise<void> {
    await Promise.all([this.#keys.read(), this.#load()])
  }

  reload(): void {
    void this.#load()
  }

  revoke(revocation: Revocation): void {
    if (!this.#denied.add(revocation)) return
    for (const listener of this.#listeners) {
      try {
        listener(revocation)
      } catch (error) {
        this.#logger.error({ error: describeError(error) }, 'a listener for revocations failed')
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const input of this.#inputs) input[Symbol.dispose]()
  }

  async #read(token: string): Promise<VerifiedToken> {
    const read = await readToken(token, this.#keys)
    this.#verified.set(token, read)
    return read
  }

  async #loadFirst(): Promise<void> {
    await this.#load()
    if (this.#loaded) return
    throw new AppError('SERVICE_UNAVAILABLE', 'Sign-ins cannot be checked while the auth service is away; try again', {
      retryAfter: 1,
    })
  }

  /** Reads all revocations, one read at a time, and schedules the next read. */
  #load(): Promise<void> {
    // A request may cause it, but all wait for it and its timer goes on.
    this.#loading ??= detached(() =>
      this.#loadOnce().finally(() => {
        this.#loading = undefined
        clearTimeout(this.#timer)
        if (this.#stopped) return
        this.#timer = setTimeout(() => this.reload(), this.#loaded ? RELOAD_MS : FIRST_LOAD_AGAIN_MS).unref()
      }),
    )
    return this.#loading
  }

  async #loadOnce(): Promise<void> {
    try {
      const { revocations } = await this.#source.listRevocations()
      for (const revocation of revocations) this.revoke(revocation)
      this.#denied.prune()
      this.#loaded = true
    } catch (error) {
      if (this.#loaded) this.#logger.warn({ error: describeError(error) }, 'revocations could not be read; trying again')
    }
  }
}
