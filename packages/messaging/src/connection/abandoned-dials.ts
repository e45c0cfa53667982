import type { Socket } from 'node:net'
import type { NatsConnection as CoreConnection } from 'nats'

/** What this file reads of nats.js 2.29.3 beyond its types. */
interface Internals {
  readonly protocol?: { readonly transport?: Transport }
}
interface Transport {
  /** The server's greeting has arrived. */
  readonly connected: boolean
  readonly socket?: Socket
}

/**
 * Closes the sockets of dials that timed out: nats.js leaves them open. When a frozen server goes on, it greets each of them, later
 * ends it for want of a login, and the library takes that end for the end of its present connection: it dials again while the
 * present one stays open with all its subscriptions. Seen with nats.js 2.29.3 and, in its source, with @nats-io/transport-node 3.4.0.
 */
export class AbandonedDials {
  readonly #core: CoreConnection
  #dial: Transport | undefined

  constructor(core: CoreConnection) {
    this.#core = core
  }

  /** Called when the library has begun another dial. */
  close(): void {
    const { protocol } = this.#core as unknown as Internals
    const previous = this.#dial
    this.#dial = protocol?.transport
    if (previous !== this.#dial && previous?.connected === false) previous.socket?.destroy()
  }
}
