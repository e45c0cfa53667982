import type { EventEnvelope } from '@youworker/contracts/event-envelope'
import { faultPoint } from '@youworker/runtime/fault-point'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { backoffMs } from '@youworker/runtime/retry'
import { settledWithin } from '@youworker/runtime/settled-within'
import type { Transaction } from 'kysely'
import { createLoop } from '@youworker/runtime/loop'
import type { SystemDatabase } from '../connection/open.ts'
import { markPublished, type OutboxRow, republishLost, takeTurn, unpublishedRows } from './outbox-rows.ts'
import { sweep } from './sweep.ts'
import type { SystemTables } from '../schema/system-tables.ts'

/** The stream that events go to; implemented by messaging. */
export interface EventPublisher {
  /** When the stream was made and the number of its last event; makes the stream when there is none. */
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
/** After a batch that left more, an empty or last one, and while another replica has the turn. */
const PAUSE_MS = { more: 0, done: POLL_MS, busy: 25 } as const
const MAX_PAUSE_MS = 5_000
const SWEEP_MS = 600_000
/** Below Postgres' limit for a transaction that waits (15 s), so that a batch ends by our own hand. */
const PUBLISH_MS = 8_000

/**
 * Publishes what the outbox holds, in its order, woken by commits and every second. What the stream has lost since is published
 * again: looked at on start, on each reconnect and after each failure. Replicas take turns.
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
      if (Date.now() - sweptAt > SWEEP_MS) {
        await sweep(database)
        sweptAt = Date.now()
      }
      return PAUSE_MS[outcome]
    } catch (error) {
      failures += 1
      relay.examine()
      if (failures === 3) logger.warn({ err: error }, 'events wait in the outbox: they cannot be published now')
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
  /** The stream as last looked at, or nothing when it must be looked at again. */
  #stream: { created: string; last_seq: number } | undefined

  constructor(database: SystemDatabase, publisher: EventPublisher, service: string) {
    this.#database = database
    this.#publisher = publisher
    this.#service = service
  }

  /** Before the next batch, looks for rows that the stream does not hold any more. */
  examine(): void {
    this.#stream = undefined
  }

  /** Publishes one batch. */
  async turn(): Promise<keyof typeof PAUSE_MS> {
    return this.#database.transact('*', 'write', async ({ system }) => {
      if (!(await takeTurn(system))) return 'busy'
      // Looked at while no other relay can be publishing: what is above its last number is lost, not on its way.
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

  /** Numbers that go back are repeats, or a stream that was made anew under a standing connection. */
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
