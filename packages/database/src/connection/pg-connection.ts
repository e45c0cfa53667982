import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { isTracing, traced } from '@youworker/runtime/tracing/span'
import pg from 'pg'
import type { AppError } from '@youworker/contracts/errors'
import { isRefusedForAnother, makesUnusable, toAppError, tooLate } from './database-error.ts'

/** A timer may fire this much early. */
const TIMER_SLACK_MS = 5

type Callback = (error: Error | null | undefined, result: pg.QueryResult) => void

/** A query with the name of its prepared statement. As an instance of pg.Query it saves pg the copy from a config object. */
class Statement extends pg.Query {
  readonly name: string | undefined
  callback: Callback
  /** Ms; pg destroys the connection then. Without it the limit of the pool counts. */
  query_timeout: number | undefined

  constructor(text: string, values: unknown[] | undefined, name: string | undefined, callback: Callback) {
    super(text, values)
    this.name = name
    this.callback = callback
  }
}

export interface ConnectionHooks {
  /** The longest that any statement is waited for, in ms. */
  readonly answerMs: number
  nameOf(sql: string): string | undefined
  observe(sql: string, ms: number): void
  /** Called when Postgres has answered a statement. */
  answered(): void
}

/** One checkout of a pooled connection. Statements are pipelined: sent without waiting for earlier results. */
export class PgConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient
  readonly #hooks: ConnectionHooks
  /** The first error. */
  #failure: AppError | undefined
  #released = false
  #unusable = false

  constructor(client: pg.PoolClient, hooks: ConnectionHooks) {
    this.#client = client
    this.#hooks = hooks
  }

  executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    if (!isTracing()) return this.#execute(sql, parameters)
    const name = /^\s*\w+/.exec(sql)?.[0].trim().toUpperCase() ?? 'SQL'
    const attributes = { 'db.system.name': 'postgresql', 'db.query.text': sql }
    return traced({ kind: 'client', name, attributes }, () => this.#execute(sql, parameters))
  }

  async #execute<R>(sql: string, parameters: readonly unknown[]): Promise<QueryResult<R>> {
    const started = performance.now()
    try {
      const result = await this.#send(sql, parameters, this.#hooks.nameOf(sql))
      const affected = AFFECTING.has(result.command) ? { numAffectedRows: BigInt(result.rowCount ?? 0) } : {}
      return { ...affected, rows: result.rows }
    } finally {
      this.#hooks.observe(sql, performance.now() - started)
    }
  }

  /** Runs statements without parameters, separated by `;`. Resolves to the command tag of the last one. */
  async run(sql: string, limitMs?: number): Promise<string> {
    const result: pg.QueryResult | pg.QueryResult[] = await this.#send(sql, undefined, undefined, limitMs)
    return Array.isArray(result) ? (result.at(-1)?.command ?? '') : result.command
  }

  streamQuery(): never {
    throw new Error('streaming queries is not supported; read pages')
  }

  release(discard = false): void {
    if (this.#released) return
    this.#released = true
    this.#client.release(discard || this.#unusable)
  }

  /** Sends all statements of this turn of the event loop in one write. */
  #gather(): void {
    const { stream } = this.#client.connection
    if (stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  async #send(
    sql: string,
    parameters: readonly unknown[] | undefined,
    name: string | undefined,
    limitMs = timeLeft(),
  ): Promise<pg.QueryResult> {
    if (this.#released) throw new Error('a statement was sent after the end of its unit of work; await every statement inside it')
    if (limitMs <= 0) throw tooLate()
    const { promise, resolve, reject } = Promise.withResolvers<pg.QueryResult>()
    const values = parameters === undefined || parameters.length === 0 ? undefined : [...parameters]
    const statement = new Statement(sql, values, name, (error, result) => (error ? reject(error) : resolve(result)))
    const isHurried = limitMs < this.#hooks.answerMs
    if (isHurried) statement.query_timeout = Math.ceil(limitMs)
    const endsAt = performance.now() + limitMs
    this.#gather()
    this.#client.query(statement)
    try {
      const result = await promise
      this.#hooks.answered()
      return result
    } catch (error) {
      const isLate = isHurried && !(error instanceof pg.DatabaseError) && performance.now() >= endsAt - TIMER_SLACK_MS
      const failure = isLate ? tooLate(error) : toAppError(error)
      if (makesUnusable(failure)) this.#unusable = true
      // What was sent together with a statement that failed is refused because of that one.
      if (isRefusedForAnother(failure) && this.#failure) throw this.#failure
      this.#failure ??= failure
      throw failure
    }
  }
}

const AFFECTING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])
