import { Announcement, type ComponentHealth } from '@youworker/contracts/health'
import { readySubject } from '@youworker/contracts/topology/subjects'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import type { Neighbours, Readiness } from '@youworker/runtime/health/readiness'
import { newId } from '@youworker/runtime/id'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import { describeError } from '../connection/describe-error.ts'
import { decodeJson, encodeJson } from '../requests/wire.ts'

/** Tells after each round of checks whether this replica is ready, and at its end that it is not. */
export function announceReadiness(nats: NatsConnection, service: string, readiness: Readiness): Disposable {
  const replica = newId()
  const announce = (ready: boolean) => {
    if (!nats.isUp) return
    try {
      nats.core.publish(readySubject(service), encodeJson({ replica, ready }))
    } catch (error) {
      nats.logger.debug({ error: describeError(error) }, 'the readiness could not be announced')
    }
  }
  const rounds = readiness.onRound(() => announce(readiness.isReady))
  return {
    [Symbol.dispose]() {
      rounds[Symbol.dispose]()
      announce(false)
    },
  }
}

const TICK_MS = 500
/** A replica that announced nothing for so many ticks is gone. Ticks and not ms, because this process may have been held up itself. */
const GONE_AFTER_TICKS = 6
const MAX_REPLICAS = 1_000

/** Which services have a replica that is ready, by what all replicas announce: one that is frozen says nothing, and takes nothing away. */
export class HeardReadiness implements Neighbours, Disposable {
  /** By service, then by replica: the tick of its last announcement that it is ready. */
  readonly #heard: ReadonlyMap<ServiceName, Map<string, number>>
  readonly #nats: NatsConnection
  readonly #subscriptions: { unsubscribe(): void }[]
  readonly #reconnects: Disposable
  readonly #timer: NodeJS.Timeout
  #tick = 0

  constructor(nats: NatsConnection, services: readonly ServiceName[]) {
    this.#nats = nats
    this.#heard = new Map(services.map((service) => [service, new Map()]))
    this.#subscriptions = services.map((service) => {
      const subject = readySubject(service)
      return nats.core.subscribe(subject, {
        callback: (refused, message) => {
          if (refused) nats.subscriptionRefused(subject, refused)
          else this.#receive(service, message.data)
        },
      })
    })
    // What was heard before says nothing about who is connected again.
    this.#reconnects = onReconnect(nats, () => this.#heard.forEach((replicas) => replicas.clear()))
    this.#timer = setInterval(() => this.#forgetGone(), TICK_MS).unref()
  }

  components(): ComponentHealth[] {
    return [...this.#heard].map(([name, replicas]) => {
      if (this.#nats.isUp && replicas.size > 0) return { name, status: 'ok', latency_ms: 0 }
      return { name, status: 'down', latency_ms: 0, message: 'no replica says that it is ready' }
    })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#reconnects[Symbol.dispose]()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  #receive(service: ServiceName, data: Uint8Array): void {
    const replicas = this.#heard.get(service)
    const announcement = parse(data)
    if (!replicas || !announcement) return
    if (!announcement.ready) replicas.delete(announcement.replica)
    else if (replicas.size < MAX_REPLICAS || replicas.has(announcement.replica)) replicas.set(announcement.replica, this.#tick)
  }

  #forgetGone(): void {
    this.#tick += 1
    for (const replicas of this.#heard.values()) {
      for (const [replica, tick] of replicas) if (this.#tick - tick >= GONE_AFTER_TICKS) replicas.delete(replica)
    }
  }
}

function parse(data: Uint8Array): Announcement | undefined {
  try {
    return Announcement.parse(decodeJson(data))
  } catch {
    return undefined
  }
}
