import type { Revocation } from '@youworker/contracts/auth'
import type { Caller } from '@youworker/messaging/requests/server'
import { isRevoked } from '../http/guards/authenticate.ts'

/** `moving`: another gateway takes over, and a client that comes back gets the rest there. */
type End = (why: 'revoked' | 'moving' | 'stopping') => void

/**
 * All long-lived answers: SSE, WebSockets, downloads. A revocation ends those of its caller, a stop of the gateway all. When
 * another gateway takes over, those end that can be resumed.
 */
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

  move(): void {
    for (const { end } of this.#streams) end('moving')
  }

  stop(): void {
    for (const { end } of this.#streams) end('stopping')
  }
}
