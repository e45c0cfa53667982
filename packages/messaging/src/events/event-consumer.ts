import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '@youworker/contracts/define'
import { EventEnvelope } from '@youworker/contracts/event-envelope'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import type { Logger } from '@youworker/runtime/logger'
import { backoffMs, retry } from '@youworker/runtime/timing/retry'
import { GRACE_MS, settledWithin } from '@youworker/runtime/timing/settled-within'
import type { Consumer, ConsumerMessages, JsMsg } from 'nats'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import { describeError } from '../connection/describe-error.ts'
import { openConsumer } from './event-stream.ts'
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

interface ConsumerOptions {
  readonly service: string
  readonly logger: Logger
  readonly handlers: readonly EventHandler[]
  readonly deadLetter: (letter: DeadLetter) => Promise<void>
}

const CONCURRENCY = 16
const PULL_MS = 10_000
const MAX_DELIVERIES = 5
/** Delay before the next delivery, by the number of failed ones. */
const AGAIN_AFTER_MS = [250, 1_000, 3_000, 6_000]
const DEAD_LETTER_AGAIN_MS = 5_000
/** With less free capacity than this, the next pull waits up to FREE_WAIT_MS for a running event to end. */
const MIN_FREE = 4
const FREE_WAIT_MS = 200

/**
 * Handles events of one durable in this process. Pulls only as many as it can run at once, so that no event waits behind a slow
 * one.
 */
export class EventConsumer implements AsyncDisposable {
  readonly #nats: NatsConnection
  readonly #options: ConsumerOptions
  readonly #handlers: ReadonlyMap<string, EventHandler>
  /** Keyed by sequence number and timestamp in the stream, so that a redelivery does not run beside the first delivery. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  #reconnected: Disposable | undefined
  #consumer: Consumer | undefined
  #pulling: ConsumerMessages | undefined
  #loop: Promise<void> = Promise.resolve()

  constructor(nats: NatsConnection, options: ConsumerOptions) {
    this.#nats = nats
    this.#options = options
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
      max_messages: CONCURRENCY - this.#running.size,
      expires: PULL_MS,
      idle_heartbeat: PULL_MS / 4,
    })
    this.#pulling = messages
    // Not awaited: the close only takes effect inside the loop below.
    if (this.#stop.signal.aborted) void messages.close()
    for await (const message of messages) this.#take(message)
  }

  async #untilCapacity(): Promise<void> {
    while (this.#running.size > CONCURRENCY - MIN_FREE && !this.#stop.signal.aborted) {
      const ended = await settledWithin(FREE_WAIT_MS, Promise.race(this.#running.values()))
      if (!ended && this.#running.size < CONCURRENCY) return
    }
  }

  #take(message: JsMsg): void {
    const handler = this.#handlers.get(message.subject)
    if (!handler) return message.ack()
    const { streamSequence, timestampNanos } = message.info
    const key = `${streamSequence}.${timestampNanos}`
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
    const { deliveryCount } = message.info
    const read = readEvent(event, message.data)
    if (typeof read === 'string') return this.#deadLetter(message, read)
    if (deliveryCount > MAX_DELIVERIES)
      return this.#deadLetter(message, `${this.#options.service} ended ${MAX_DELIVERIES} times over it`)
    try {
      await handler.handle(read.data, read.envelope)
    } catch (error) {
      const { message: why } = describeError(error)
      if (deliveryCount >= MAX_DELIVERIES)
        return this.#deadLetter(message, `failed ${MAX_DELIVERIES} times, at last with: ${why}`)
      this.#options.logger.warn(
        { subject: event.subject, id: read.envelope.id, error: describeError(error) },
        'an event handler failed; the event will be redelivered',
      )
      return message.nak(AGAIN_AFTER_MS[deliveryCount - 1])
    }
    faultPoint('after_effect_before_ack')
    message.ack()
  }

  async #deadLetter(message: JsMsg, reason: string): Promise<void> {
    const { logger, deadLetter } = this.#options
    const { subject } = message
    try {
      await deadLetter({ envelope_json: new TextDecoder().decode(message.data), reason })
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

/** Returns the reason as a string when the data is not the event that its subject names: redelivery would not help. */
function readEvent(event: Event, data: Uint8Array): { data: unknown; envelope: EventEnvelope } | string {
  try {
    const envelope = EventEnvelope.parse(decodeJson(data))
    return { data: event.payload.parse(envelope.data), envelope }
  } catch (error) {
    return `not an event of ${event.subject}: ${describeError(error).message}`
  }
}
