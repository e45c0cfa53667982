import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { backoffMs } from '@youworker/runtime/timing/retry'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { Transaction } from 'kysely'
import { createLoop } from '@youworker/runtime/timing/loop'
import type { SystemDatabase } from '../connection/open.ts'
import { lockRelay, markPublished, type OutboxRow, republishLost, unpublishedRows } from './outbox-rows.ts'
import { sweep } from './sweep.ts'
import type { SystemTables } from '../schema/system-tables.ts'

/** The event stream; implemented by messaging. */
export interface EventPublisher {
  /** When the stream was made and the number of its last event; rejects when there is none. */
  stream(): Promise<{ created: string; last_seq: number }>
  /** Resolves to the events' numbers in the stream, in order, once all are stored. */
  publish(envelopes: readonly EventEnvelope[]): Promise<readonly number[]>
  onReconnect(listener: () => void): Disposable
}

interface RelayOptions {
  readonly service: string
  readonly logger: Logger
}

const BATCH = 500
const POLL_MS = 1_000
/** Pause after a full batch (`more`), after the last rows (`done`) and while another replica holds the lock (`busy`). */
const PAUSE_MS = { more: 0, done: POLL_MS, busy: 25 } as const
const MAX_PAUSE_MS = 5_000
const SWEEP_MS = 600_000
/** Commits that follow one another closely are published together. */
const REST_MS = 25
/** Below the pool's idle_in_transaction_session_timeout (15 s), so that the relay ends a slow batch itself. */
const PUBLISH_MS = 8_000

/**
 * Publishes the outbox in order, after each commit and every second. On start, on each reconnect and after each failure it
 * checks what the stream has lost and publishes that again. One replica publishes at a time.
 */
export function startRelay(
  database: SystemDatabase,
  publisher: EventPublisher,
  { service, logger }: RelayOptions,
): AsyncDisposable {
  const relay = new Relay(database, publisher, service)
  let failures = 0
  let sweptAt = 0
  const loop = createLoop(async () => {
    try {
      const outcome = await relay.turn()
      failures = 0
      if (outcome === 'done') await sleep(REST_MS)
      if (Date.now() - sweptAt > SWEEP_MS) {
        await sweep(database)
        sweptAt = Date.now()
      }
      return PAUSE_MS[outcome]
    } catch (error) {
      failures += 1
      relay.examine()
      if (failures === 3) logger.warn({ err: error }, 'events in the outbox cannot be published; trying again')
      return Math.max(POLL_MS, backoffMs(failures, { maxMs: MAX_PAUSE_MS }))
    }
  })
  const onOutbox = database.onOutbox(loop.nudge)
  const onReconnect = publisher.onReconnect(() => {
    relay.examine()
    loop.nudge()
  })
  return {
    async [Symbol.asyncDispose]() {
      onOutbox[Symbol.dispose]()
      onReconnect[Symbol.dispose]()
      await loop.stop()
    },
  }
}

class Relay {
  readonly #database: SystemDatabase
  readonly #publisher: EventPublisher
  readonly #service: string
  /** The stream as last checked; undefined when it must be checked again. */
  #stream: { created: string; last_seq: number } | undefined

  constructor(database: SystemDatabase, publisher: EventPublisher, service: string) {
    this.#database = database
    this.#publisher = publisher
    this.#service = service
  }

  /** Makes the next batch check first which rows the stream has lost. */
  examine(): void {
    this.#stream = undefined
  }

  /** Publishes one batch. */
  async turn(): Promise<keyof typeof PAUSE_MS> {
    return this.#database.transact('*', 'write', async ({ system }) => {
      if (!(await lockRelay(system))) return 'busy'
      // Checked under the lock, when no other relay publishes: rows above the last number are lost and not in flight.
      const stream = (this.#stream ??= await this.#examined(system))
      const rows = await unpublishedRows(system, BATCH)
      metrics.outboxLag.labels(this.#service).set(rows[0]?.age_seconds ?? 0)
      if (rows.length === 0) return 'done'
      faultPoint('before_publish')
      const seqs = await within(PUBLISH_MS, this.#publisher.publish(rows.map((row) => envelopeOf(row, this.#service))))
      faultPoint('after_publish_before_mark')
      await markPublished(system, rows, seqs, stream.created)
      this.#watchNumbers(stream, seqs)
      return rows.length === BATCH ? 'more' : 'done'
    })
  }

  async #examined(system: Transaction<SystemTables>) {
    const stream = await within(PUBLISH_MS, this.#publisher.stream())
    await republishLost(system, stream)
    return stream
  }

  /** A number that is not above the last one is a repeat, or the stream was created anew without a reconnect. */
  #watchNumbers(stream: { last_seq: number }, seqs: readonly number[]): void {
    for (const seq of seqs) {
      if (seq <= stream.last_seq) this.examine()
      else stream.last_seq = seq
    }
  }
}

function envelopeOf(row: OutboxRow, service: string): EventEnvelope {
  return {
    specversion: '1.0',
    id: row.id,
    source: service,
    type: row.subject,
    time: row.created_at,
    datacontenttype: 'application/json',
    ...(row.correlation_id === null ? {} : { correlationid: row.correlation_id }),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    data: row.data,
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  if (!(await settledWithin(ms, work))) throw new Error(`the stream did not answer in ${ms} ms`)
  return work
}
