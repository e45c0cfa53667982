import { Announcement, type ComponentHealth } from '@youworker/contracts/health'
import { readySubject } from '@youworker/contracts/topology/subjects'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import type { Neighbours, Readiness } from '@youworker/runtime/health/readiness'
import { newId } from '@youworker/runtime/id'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { decodeJson, encodeJson } from '../requests/wire.ts'

interface Announced {
  readonly readiness: Readiness
  /** `host:port` of the process's /metrics. */
  readonly metricsAt: string | undefined
}

/** Tells after each round of checks whether this replica is ready, and at its end that it is gone. */
export function announceReadiness(nats: NatsConnection, service: string, { readiness, metricsAt }: Announced): Disposable {
  const replica = newId()
  const announce = (state: { readonly ready: boolean; readonly ended?: true }) => {
    if (!nats.isUp) return
    try {
      const announcement: Announcement = { replica, metrics: metricsAt, ...state }
      nats.core.publish(readySubject(service), encodeJson(announcement))
    } catch (error) {
      nats.logger.debug({ error: describeError(error) }, 'the readiness could not be announced')
    }
  }
  const rounds = readiness.onRound(() => announce({ ready: readiness.isReady }))
  return {
    [Symbol.dispose]() {
      rounds[Symbol.dispose]()
      announce({ ready: false, ended: true })
    },
  }
}

const TICK_MS = 500
/** A replica that announced nothing for so many ticks is not ready. Ticks and not ms, because this process may have been held up itself. */
const GONE_AFTER_TICKS = 6
/** For so long the address of one that was killed is still told, so that its absence is noticed. */
const FORGOTTEN_AFTER_TICKS = 1_200
const MAX_REPLICAS = 1_000

interface Replica {
  readonly ready: boolean
  readonly metrics: string | undefined
  /** Of its last announcement. */
  readonly tick: number
}

/** A process with an address of its own for /metrics, and the services that run in it. */
export interface MetricsTarget {
  readonly address: string
  readonly services: readonly ServiceName[]
}

/**
 * Which services have a replica that is ready, and where all replicas are, by what they announce: one that is frozen says nothing, and
 * takes nothing away.
 */
export class ReplicaReadiness implements Neighbours, Disposable {
  /** By service, then by replica. */
  readonly #replicas: ReadonlyMap<ServiceName, Map<string, Replica>>
  readonly #needed: readonly ServiceName[]
  readonly #nats: NatsConnection
  readonly #subscriptions: { unsubscribe(): void }[]
  readonly #reconnects: Disposable
  readonly #timer: NodeJS.Timeout
  #tick = 0

  /** `needed`: the services that count as neighbours. */
  constructor(nats: NatsConnection, services: readonly ServiceName[], needed: readonly ServiceName[]) {
    this.#nats = nats
    this.#needed = needed
    this.#replicas = new Map(services.map((service) => [service, new Map()]))
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
    this.#reconnects = onReconnect(nats, () => this.#doubtAll())
    this.#timer = setInterval(() => this.#forget(), TICK_MS).unref()
  }

  components(): ComponentHealth[] {
    return this.#needed.map((name) => {
      if (this.#nats.isUp && this.#isServed(name)) return { name, status: 'ok', latency_ms: 0 }
      return { name, status: 'down', latency_ms: 0, message: 'no replica says that it is ready' }
    })
  }

  /** Sorted by address. */
  targets(): MetricsTarget[] {
    const byAddress = new Map<string, Set<ServiceName>>()
    for (const [service, replicas] of this.#replicas) {
      for (const { metrics } of replicas.values()) {
        if (metrics !== undefined) byAddress.set(metrics, (byAddress.get(metrics) ?? new Set()).add(service))
      }
    }
    const targets = [...byAddress].map(([address, services]) => ({ address, services: [...services] }))
    return targets.sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#reconnects[Symbol.dispose]()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  #isServed(service: ServiceName): boolean {
    const replicas = this.#replicas.get(service) ?? new Map<string, Replica>()
    return [...replicas.values()].some(({ ready, tick }) => ready && this.#tick - tick < GONE_AFTER_TICKS)
  }

  #receive(service: ServiceName, data: Uint8Array): void {
    const replicas = this.#replicas.get(service)
    const announcement = parse(data)
    if (!replicas || !announcement) return
    const { replica, ready, metrics, ended } = announcement
    if (ended) replicas.delete(replica)
    else if (replicas.size < MAX_REPLICAS || replicas.has(replica)) replicas.set(replica, { ready, metrics, tick: this.#tick })
  }

  #doubtAll(): void {
    for (const replicas of this.#replicas.values()) {
      for (const [id, replica] of replicas) replicas.set(id, { ...replica, ready: false })
    }
  }

  #forget(): void {
    this.#tick += 1
    for (const replicas of this.#replicas.values()) {
      for (const [id, { tick }] of replicas) if (this.#tick - tick >= FORGOTTEN_AFTER_TICKS) replicas.delete(id)
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
