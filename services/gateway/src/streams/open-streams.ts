import type { Revocation } from '@youworker/contracts/auth'
import type { Caller } from '@youworker/messaging/requests/server'
import { isRevoked } from '../http/guards/authenticate.ts'

type End = (why: 'revoked' | 'stopping') => void

/** Everything that stays open for a caller: SSE, WebSockets, downloads. A revocation and a stop end them. */
export class OpenStreams {
  readonly #streams = new Set<{ caller: Pick<Caller, 'sid' | 'user_id'>; end: End }>()

  add(caller: Pick<Caller, 'sid' | 'user_id'>, end: End): Disposable {
    const stream = { caller, end }
    this.#streams.add(stream)
    return { [Symbol.dispose]: () => void this.#streams.delete(stream) }
  }

  revoke(revocation: Revocation): void {
    for (const { caller, end } of this.#streams) if (isRevoked(revocation, caller)) end('revoked')
  }

  stop(): void {
    for (const { end } of this.#streams) end('stopping')
  }
}
