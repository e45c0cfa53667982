import { AppError } from '@youworker/contracts/errors'
import { createBreaker } from '@youworker/runtime/timing/breaker'
import type { Logger } from '@youworker/runtime/logger'
import type { HealthCheck } from '@youworker/runtime/health/health-report'
import { metrics } from '@youworker/runtime/health/metrics'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import pg from 'pg'
import { ConnectionQueue } from './connection-queue.ts'
import { type ConnectionHooks, PgConnection } from './pg-connection.ts'
import { DatabaseFault, toAppError, tooLate } from './database-error.ts'
import { typeParsers } from './pg-types.ts'
import { PoolUse } from './pool-use.ts'
import { SlowQueries } from './slow-queries.ts'
import { StatementNames } from './statement-names.ts'

/** Timeouts in ms. ANSWER_MS is the client's, for a Postgres that hangs, and longer than the server's own STATEMENT_MS. */
const CONNECT_MS = 3_000
const STATEMENT_MS = 7_500
const ANSWER_MS = 8_500
const LOCK_MS = 5_000
const IDLE_IN_TRANSACTION_MS = 15_000
/** So soon after an answer to another request Postgres still counts as there. */
const RECENT_MS = 1_000
/** Postgres looks this often whether a client is still there: a statement that nobody waits for any more ends by then. */
const CLIENT_CHECK_MS = 1_000

export interface PoolOptions {
  readonly url: string
  readonly schema: string
  readonly poolSize: number
  /** Connections beyond `poolSize` under load. */
  readonly maxOverflow?: number
  readonly slowQueryMs: number
  readonly logger: Logger
}

export interface ConnectionPool extends AsyncDisposable {
  /**
   * Throws `SERVICE_UNAVAILABLE` when Postgres is down or all connections stay busy, `CIRCUIT_OPEN` after repeated
   * failures and `DEADLINE_EXCEEDED` when the time of the request is over before.
   */
  acquire(): Promise<PgConnection>
  /** For health checks: passes an open breaker, and closes it when Postgres answers. */
  probe(): Promise<PgConnection>
  /** True when all connections are busy although Postgres answers. */
  isBusy(error: unknown): boolean
  /** Says how many connections are in use, and is restricted when nearly all are. */
  readonly checkUse: HealthCheck
}

export function createPool(options: PoolOptions): ConnectionPool {
  const { url, schema, poolSize, maxOverflow = 0, logger } = options
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `youworker ${schema}`,
    max: poolSize + maxOverflow,
    pipeline: true,
    keepAlive: true,
    types: typeParsers,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    options: `-c search_path=${schema} -c TimeZone=UTC -c client_connection_check_interval=${CLIENT_CHECK_MS}`,
  })
  // A connection that breaks while checked out emits this error too; without a listener it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', (error) => logger.warn({ reason: error.message }, 'a connection to Postgres was lost'))
  const hooks = createHooks(options, new SlowQueries(pool, options))
  const breaker = createBreaker({
    target: `Postgres (${schema})`,
    isFailure: (error) => !(error instanceof PoolBusy) && !isLate(error),
  })
  const queue = new ConnectionQueue(pool, { poolSize, isFull: isFullServer })
  const use = new PoolUse(pool, queue, options)
  return {
    checkUse: async () => use.describe(),
    acquire: () => {
      use.wanted()
      return breaker.run(() => connect(queue, hooks))
    },
    probe: () => breaker.probe(() => connect(queue, hooks)),
    isBusy: (error) => (isLate(error) || error instanceof PoolBusy) && hooks.sinceAnswerMs() < RECENT_MS,
    async [Symbol.asyncDispose]() {
      use[Symbol.dispose]()
      if (!pool.ending) await pool.end()
    },
  }
}

async function connect(queue: ConnectionQueue, hooks: Hooks): Promise<PgConnection> {
  const left = timeLeft()
  if (left <= 0) throw tooLate()
  const noneFree = () => (left < CONNECT_MS ? tooLate() : new Error('no connection was free in time'))
  try {
    return new PgConnection(await queue.take(Math.min(left, CONNECT_MS), noneFree), hooks)
  } catch (cause) {
    if (isLate(cause)) throw cause
    if (hooks.isBusy(cause) || isFullServer(cause)) throw new PoolBusy(cause)
    if (cause instanceof pg.DatabaseError) throw toAppError(cause)
    throw new AppError('SERVICE_UNAVAILABLE', 'Postgres did not answer; try again in a moment', { retryAfter: 2, cause })
  }
}

/** Postgres takes no connection more (53300): those that the pool has go on. */
const isFullServer = (error: unknown): boolean => error instanceof pg.DatabaseError && error.code === '53300'

/** No connection was free although Postgres answers: that must not open the breaker. */
class PoolBusy extends AppError {
  constructor(cause: unknown) {
    super('SERVICE_UNAVAILABLE', 'All connections to Postgres are busy; try again in a moment', { retryAfter: 2, cause })
  }
}

const isLate = (error: unknown): boolean => error instanceof AppError && error.code === 'DEADLINE_EXCEEDED'

interface Hooks extends ConnectionHooks {
  /** True when no connection was free although Postgres answers. */
  isBusy(error: unknown): boolean
  sinceAnswerMs(): number
}

function createHooks({ schema }: PoolOptions, slow: SlowQueries): Hooks {
  const names = new StatementNames()
  const duration = metrics.dbQueryDuration.labels(schema)
  let answeredAt = 0
  return {
    answerMs: ANSWER_MS,
    nameOf: (sql) => names.nameOf(sql),
    answered: () => {
      answeredAt = Date.now()
    },
    observe: (sql, ms) => {
      duration.observe(ms / 1_000)
      slow.observe(sql, ms)
    },
    isBusy: (error) => !isRefusal(error) && Date.now() - answeredAt < CONNECT_MS,
    sinceAnswerMs: () => Date.now() - answeredAt,
  }
}

/** True when Postgres or the operating system refused a connection. The pool's own timeout error has no code. */
function isRefusal(error: unknown): boolean {
  const origin = error instanceof AppError ? error.cause : error
  return origin instanceof DatabaseFault || (origin instanceof Error && 'code' in origin)
}
