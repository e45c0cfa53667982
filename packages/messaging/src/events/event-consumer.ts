import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '@youworker/contracts/define'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import type { Logger } from '@youworker/runtime/logger'
import { backoffMs, retry } from '@youworker/runtime/timing/retry'
import { GRACE_MS, settledWithin } from '@youworker/runtime/timing/settled-within'
import { LRUCache } from 'lru-cache'
import type { Consumer, ConsumerMessages, JsMsg } from 'nats'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { openConsumer } from './event-stream.ts'
import { handleEvent } from './handle-event.ts'
import { isLost } from '../connection/transport-error.ts'
import { decodeJson } from '../requests/wire.ts'

export interface EventHandler {
  readonly event: Event
  handle(data: unknown, envelope: EventEnvelope): Promise<void>
}

export interface DeadLetter {
  /** The event as received, which need not be JSON. */
  readonly envelope_json: string
  readonly reason: string
}

export interface ConsumerOptions {
  /** Also the name of the durable, so that replicas share the events. */
  readonly service: string
  readonly logger: Logger
  readonly handlers: readonly EventHandler[]
  /** Stores an event that cannot be handled. The event is redelivered until this resolves. */
  readonly deadLetter: (letter: DeadLetter) => Promise<void>
  /** How many events are handled at once, by default 16: `IN_BATCHES` for handlers that write many events in one transaction. */
  readonly concurrency?: number
}

/** Two full batches: one is written while the next one gathers. */
export const IN_BATCHES = 400
const CONCURRENCY = 16
const PULL_MS = 10_000
/** Tries that a handler is given for faults of its own, counted by each process. */
const MAX_FAULTS = 5
/** Delay before the next delivery, by the number of faults. */
const AGAIN_AFTER_MS = [250, 1_000, 3_000, 6_000]
/** Deliveries after which an event that this process never saw fail is one that ends processes. Restarts count as well. */
const MAX_DELIVERIES = 25
const DEPENDENCY_AGAIN = { baseMs: 250, maxMs: 5_000 } as const
/** Below the durable's ack wait: until then the server delivers nothing again that is being worked on. */
const WORKING_MS = 10_000
/** What a handler throws when something that it needs is away: the event itself is not at fault. */
const DEPENDENCY_CODES: ReadonlySet<ErrorCode> = new Set([
  'SERVICE_UNAVAILABLE',
  'CIRCUIT_OPEN',
  'DEADLINE_EXCEEDED',
  'EXTERNAL_SERVICE_ERROR',
  'INSUFFICIENT_STORAGE',
])
const DEAD_LETTER_AGAIN_MS = 5_000
/** With less free capacity than this part of it, the next pull waits up to FREE_WAIT_MS for a running event to end. */
const MIN_FREE = 1 / 4
const FREE_WAIT_MS = 200

/**
 * Handles events of one durable in this process. Pulls only as many as it can run at once, so that no event waits behind a slow
 * one.
 */
export class EventConsumer implements AsyncDisposable {
  readonly #nats: NatsConnection
  readonly #options: ConsumerOptions
  readonly #handlers: ReadonlyMap<string, EventHandler>
  readonly #concurrency: number
  /** Keyed by sequence number and timestamp in the stream, so that a redelivery does not run beside the first delivery. */
  readonly #running = new Map<string, Promise<void>>()
  /** Faults of handlers, by the same key. */
  readonly #faults = new LRUCache<string, number>({ max: 1_000 })
  #isDependencyAway = false
  readonly #stop = new AbortController()
  #reconnected: Disposable | undefined
  #consumer: Consumer | undefined
  #pulling: ConsumerMessages | undefined
  #loop: Promise<void> = Promise.resolve()

  constructor(nats: NatsConnection, options: ConsumerOptions) {
    this.#nats = nats
    this.#options = options
    this.#concurrency = options.concurrency ?? CONCURRENCY
    this.#handlers = new Map(options.handlers.map((handler) => [handler.event.subject, handler]))
  }

  async start(): Promise<void> {
    if (this.#handlers.size === 0) return
    // JetStream is not ready right after nats-server starts.
    this.#consumer = await retry(() => this.#open(), { attempts: 6, baseMs: 250, isRetryable: isLost })
    this.#loop = this.#run()
    // The library renews its pull after a reconnect too, but later.
    this.#reconnected = onReconnect(this.#nats, () => {
      this.#consumer = undefined
      void this.#pulling?.close()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#reconnected?.[Symbol.dispose]()
    void this.#pulling?.close()
    await settledWithin(
      GRACE_MS,
      this.#loop.then(() => Promise.all(this.#running.values())),
    )
  }

  #open(): Promise<Consumer> {
    return openConsumer(this.#nats, this.#options.service)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted;) {
      try {
        this.#consumer ??= await this.#open()
        await this.#untilCapacity()
        if (!signal.aborted) await this.#pull(this.#consumer)
        failures = 0
      } catch (error) {
        // The store may have been lost: the next round finds what the administrator has created again.
        this.#consumer = undefined
        failures += 1
        if (failures > 1) this.#options.logger.warn({ error: describeError(error) }, 'events cannot be read; trying again')
        await sleep(backoffMs(failures), undefined, { signal }).catch(() => {})
      }
    }
  }

  async #pull(consumer: Consumer): Promise<void> {
    const messages = await consumer.fetch({
      max_messages: this.#concurrency - this.#running.size,
      expires: PULL_MS,
      idle_heartbeat: PULL_MS / 4,
    })
    this.#pulling = messages
    // Not awaited: the close only takes effect inside the loop below.
    if (this.#stop.signal.aborted) void messages.close()
    for await (const message of messages) this.#take(message)
  }

  async #untilCapacity(): Promise<void> {
    while (this.#running.size > this.#concurrency * (1 - MIN_FREE) && !this.#stop.signal.aborted) {
      const ended = await settledWithin(FREE_WAIT_MS, Promise.race(this.#running.values()))
      if (!ended && this.#running.size < this.#concurrency) return
    }
  }

  #take(message: JsMsg): void {
    const handler = this.#handlers.get(message.subject)
    if (!handler) return message.ack()
    const key = keyOf(message)
    if (this.#running.has(key)) return
    const work = this.#handle(message, handler)
      .catch((error: unknown) =>
        this.#options.logger.error({ error: describeError(error) }, 'an event could neither be acknowledged nor rejected'),
      )
      .finally(() => this.#running.delete(key))
    this.#running.set(key, work)
  }

  async #handle(message: JsMsg, handler: EventHandler): Promise<void> {
    const { event } = handler
    const key = keyOf(message)
    const read = readEvent(event, message.data)
    if (typeof read === 'string') return this.#deadLetter(message, read)
    if (message.info.deliveryCount > MAX_DELIVERIES && !this.#faults.has(key))
      return this.#deadLetter(message, `${this.#options.service} ended ${MAX_DELIVERIES} times over it`)
    try {
      const handle = () => this.#whenDependenciesAllow(message, () => handler.handle(read.data, read.envelope))
      await handleEvent(read.envelope, handle, this.#options.logger)
    } catch (error) {
      if (this.#stop.signal.aborted && isDependencyError(error)) return message.nak()
      const faults = (this.#faults.get(key) ?? 0) + 1
      this.#faults.set(key, faults)
      const { message: why } = describeError(error)
      if (faults >= MAX_FAULTS) return this.#deadLetter(message, `failed ${MAX_FAULTS} times, at last with: ${why}`)
      this.#options.logger.warn(
        { subject: event.subject, id: read.envelope.id, error: describeError(error) },
        'an event handler failed; the event will be redelivered',
      )
      return message.nak(AGAIN_AFTER_MS[faults - 1])
    }
    faultPoint('after_effect_before_ack')
    this.#faults.delete(key)
    message.ack()
  }

  /**
   * Runs `work` again for as long as it fails because something that it needs is away: such a failure says nothing about the event.
   * Events that wait keep their capacity, so that no more are pulled meanwhile. Ends with the last error when the process stops.
   */
  async #whenDependenciesAllow(message: JsMsg, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop
    const working = setInterval(() => message.working(), WORKING_MS)
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await work()
          this.#isDependencyAway = false
          return
        } catch (error) {
          if (!isDependencyError(error) || signal.aborted) throw error
          if (!this.#isDependencyAway) {
            this.#options.logger.warn({ error: describeError(error) }, 'events wait until what their handlers need is back')
          }
          this.#isDependencyAway = true
          await sleep(backoffMs(attempt, DEPENDENCY_AGAIN), undefined, { signal }).catch(() => {
            throw error
          })
        }
      }
    } finally {
      clearInterval(working)
    }
  }

  async #deadLetter(message: JsMsg, reason: string): Promise<void> {
    const { logger, deadLetter } = this.#options
    const { subject } = message
    try {
      await deadLetter({ envelope_json: asReceived(message), reason })
      logger.error({ subject, seq: message.seq, reason }, 'an event went to the dead letters')
      message.ack()
    } catch (error) {
      logger.error(
        { subject, seq: message.seq, error: describeError(error) },
        'a dead letter could not be stored; the event will be redelivered',
      )
      message.nak(DEAD_LETTER_AGAIN_MS)
    }
  }
}

const keyOf = ({ info: { streamSequence, timestampNanos } }: JsMsg): string => `${streamSequence}.${timestampNanos}`

/**
 * A dead letter is sent again on the subject that its envelope names as `type`, by the administrator, who may publish everywhere: so
 * the subject on which the sender was allowed to publish takes the place of what he wrote there.
 */
function asReceived({ subject, data }: JsMsg): string {
  const text = new TextDecoder().decode(data)
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null && 'type' in json && json.type !== subject)
      return JSON.stringify({ ...json, type: subject })
  } catch {
    // What is no JSON is never sent again.
  }
  return text
}

const isDependencyError = (error: unknown): boolean => error instanceof AppError && DEPENDENCY_CODES.has(error.code)

/** Returns the reason as a string when the data is not the event that its subject names: redelivery would not help. */
function readEvent(event: Event, data: Uint8Array): { data: unknown; envelope: EventEnvelope } | string {
  try {
    const envelope = EventEnvelope.parse(decodeJson(data))
    if (envelope.type !== event.subject) return `its envelope names another event than ${event.subject}`
    return { data: event.payload.parse(envelope.data), envelope }
  } catch (error) {
    return `not an event of ${event.subject}: ${describeError(error).message}`
  }
}
