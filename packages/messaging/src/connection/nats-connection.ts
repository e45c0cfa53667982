import { AppError } from '@youworker/contracts/errors'
import { ownerOf, replySubject } from '@youworker/contracts/topology/subjects'
import { type Breaker, createBreaker } from '@youworker/runtime/timing/breaker'
import type { Logger } from '@youworker/runtime/logger'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { NatsConnection as CoreConnection, Status } from 'nats'
import { DebugEvents, Events, nuid } from 'nats'
import { AbandonedDials } from './abandoned-dials.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { ReplyInbox } from '../requests/reply-inbox.ts'
import { SendQueue } from './send-queue.ts'
import { countsAgainstPeer, unavailable } from './transport-error.ts'

const CHECK_MS = 2_000
/** A service that publishes live entries without permission is refused many times a second. */
const REFUSALS_LOGGED_EVERY_MS = 1_000

interface Parts {
  readonly core: CoreConnection
  readonly service: string
  readonly where: string
  readonly logger: Logger
}

/** One connection of one service, with the state that lives as long as the connection. Opaque outside this package. */
export class NatsConnection {
  readonly core: CoreConnection
  readonly service: string
  /** Hosts without credentials, for log and error messages. */
  readonly where: string
  readonly logger: Logger
  readonly sends = new SendQueue()
  readonly inbox: ReplyInbox
  closing = false
  isUp = true
  readonly #abandoned: AbandonedDials
  readonly #breakers = new Map<string, Breaker>()
  readonly #listeners = new Set<() => void>()
  #refusedSubscription: string | undefined
  #refusalLoggedAt = 0

  constructor({ core, service, where, logger }: Parts) {
    this.core = core
    this.service = service
    this.where = where
    this.logger = logger
    this.inbox = new ReplyInbox(this)
    this.#abandoned = new AbandonedDials(core)
    void this.#watch()
  }

  /**
   * One breaker per kind of call, so that searches which come too late do not stop uploads. Only a timeout counts as a failure; an
   * error reply, also one of a passed deadline, does not.
   */
  breakerOf(subject: string): Breaker {
    const known = this.#breakers.get(subject)
    if (known) return known
    const breaker = createBreaker({ target: `The ${ownerOf(subject)} service (${subject})`, isFailure: countsAgainstPeer })
    this.#breakers.set(subject, breaker)
    return breaker
  }

  onReconnect(listener: () => void): Disposable {
    const entry = () => listener()
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  /**
   * The server refuses a subscription asynchronously, so the caller cannot get the error: the service stays unhealthy until it
   * restarts.
   */
  subscriptionRefused(subject: string, error: unknown): void {
    this.#refusedSubscription = subject
    this.logger.error({ subject, error: describeError(error) }, `NATS refuses the subscription to ${subject}`)
  }

  async check(): Promise<void> {
    const subject = this.#refusedSubscription
    if (subject !== undefined) {
      throw new AppError(
        'SERVICE_UNAVAILABLE',
        `NATS refuses ${this.service} the subscription to ${subject}; generate nats.conf again`,
      )
    }
    const failure = unavailable(`NATS at ${this.where} does not answer; check that nats-server runs`)
    if (!this.isUp || this.core.isClosed()) throw failure
    if (!(await this.#reachesItself())) throw failure
  }

  /** Replaces a connection that seems to be up and through which nothing comes back. */
  async replaceIfSilent(): Promise<void> {
    if (!this.isUp || this.closing || this.core.isClosed() || (await this.#reachesItself())) return
    if (!this.isUp || this.closing) return
    this.logger.warn(`NATS at ${this.where} answers nothing on this connection; connecting anew`)
    await this.core.reconnect()
  }

  /** A message to oneself passes everything that a request passes: the socket both ways, the server, a subscription. */
  async #reachesItself(): Promise<boolean> {
    const received = Promise.withResolvers<boolean>()
    const subject = replySubject(this.service, this.service, nuid.next())
    const subscription = this.core.subscribe(subject, { max: 1, callback: (error) => received.resolve(error === null) })
    try {
      this.core.publish(subject)
      return (await settledWithin(CHECK_MS, received.promise)) && (await received.promise)
    } catch {
      return false
    } finally {
      subscription.unsubscribe()
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.core.status()) {
      if (status.type === Events.Disconnect) this.#disconnected()
      else if (status.type === Events.Reconnect) this.#reconnected()
      else if (status.type === Events.Error) this.#refused(status)
      else if (status.type === DebugEvents.Reconnecting) this.#abandoned.close()
    }
    this.isUp = false
    if (!this.closing) this.logger.error(`the connection to NATS at ${this.where} is closed and will not be re-established`)
  }

  #disconnected(): void {
    if (!this.isUp) return
    this.isUp = false
    this.inbox.connectionLost()
    if (!this.closing) this.logger.warn(`lost NATS at ${this.where}; connecting again`)
  }

  #reconnected(): void {
    this.isUp = true
    this.logger.info(`connected to NATS at ${this.where} again`)
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        this.logger.error({ error: describeError(error) }, 'a listener for the reconnect failed')
      }
    }
  }

  #refused({ permissionContext }: Status): void {
    if (permissionContext?.operation !== 'publish') return
    const { subject } = permissionContext
    this.inbox.publishRefused(subject)
    const now = Date.now()
    if (now - this.#refusalLoggedAt < REFUSALS_LOGGED_EVERY_MS) return
    this.#refusalLoggedAt = now
    this.logger.error({ subject }, `NATS refuses ${this.service} to publish on ${subject}`)
  }
}
