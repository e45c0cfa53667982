import type { Logger } from '@youworker/runtime/logger'
import { cutText } from '@youworker/runtime/text/text'
import { Sampler } from '@youworker/runtime/timing/sampler'
import type pg from 'pg'

/** Plans that one process asks for: one of each statement, and so many in all, in a minute. */
const PLANS = { windowMs: 60_000, perGroup: 1, total: 10 } as const
const EXPLAIN_MS = 2_000
const MAX_SQL = 2_000
const MAX_PLAN = 4_000

interface Options {
  readonly slowQueryMs: number
  readonly logger: Logger
}

/** Logs slow statements, and in the background their plans. Both without parameters, which are what users wrote. */
export class SlowQueries {
  readonly #pool: pg.Pool
  readonly #options: Options
  readonly #plans = new Sampler(PLANS)
  #isExplaining = false

  constructor(pool: pg.Pool, options: Options) {
    this.#pool = pool
    this.#options = options
  }

  observe(sql: string, ms: number): void {
    const { slowQueryMs, logger } = this.#options
    if (ms < slowQueryMs) return
    logger.warn({ sql: cutText(sql, MAX_SQL, '…'), ms: Math.round(ms) }, 'slow query')
    // Whoever waits for a connection comes first.
    if (this.#isExplaining || isFull(this.#pool) || !this.#plans.take(sql, '')) return
    this.#isExplaining = true
    void this.#explain(sql).finally(() => (this.#isExplaining = false))
  }

  async #explain(sql: string): Promise<void> {
    const { logger } = this.#options
    const of = { sql: cutText(sql, MAX_SQL, '…') }
    try {
      logger.warn({ ...of, plan: cutText(await genericPlan(this.#pool, sql), MAX_PLAN, '…') }, 'plan of a slow query')
    } catch (error) {
      logger.debug({ ...of, err: error }, 'a slow query could not be explained')
    }
  }
}

export const isFull = ({ waitingCount, idleCount, totalCount, options }: pg.Pool): boolean =>
  waitingCount > 0 || (idleCount === 0 && totalCount >= options.max)

/** The plan that Postgres makes without knowing the parameters; `explain (generic_plan)` does the same since version 16. */
async function genericPlan(pool: pg.Pool, sql: string): Promise<string> {
  const client = await pool.connect()
  try {
    await client.query(
      `begin read only; set local statement_timeout = ${EXPLAIN_MS}; set local plan_cache_mode = force_generic_plan; prepare slow_query as ${sql}`,
    )
    const count = Math.max(0, ...[...sql.matchAll(/\$(\d{1,5})/g)].map(([, n]) => Number(n)))
    const nulls = count === 0 ? '' : `(${Array.from({ length: count }, () => 'null').join(', ')})`
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain execute slow_query${nulls}`)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  } finally {
    // Closed, so that neither the transaction nor the prepared statement is left.
    client.release(true)
  }
}
