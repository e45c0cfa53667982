import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import pg from 'pg'
import { makesUnusable, toAppError } from './database-error.ts'

type Callback = (error: Error | null | undefined, result: pg.QueryResult) => void

/** A query with the name of its prepared statement. As an instance of pg.Query it saves pg the copy from a config object. */
class Statement extends pg.Query {
  readonly name: string | undefined
  callback: Callback

  constructor(text: string, values: unknown[] | undefined, name: string | undefined, callback: Callback) {
    super(text, values)
    this.name = name
    this.callback = callback
  }
}

export interface ConnectionHooks {
  nameOf(sql: string): string | undefined
  observe(sql: string, ms: number): void
  /** Called when Postgres has answered a statement. */
  answered(): void
}

/** One checkout of a pooled connection. Statements are pipelined: sent without waiting for earlier results. */
export class PgConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient
  readonly #hooks: ConnectionHooks
  #released = false
  #unusable = false

  constructor(client: pg.PoolClient, hooks: ConnectionHooks) {
    this.#client = client
    this.#hooks = hooks
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const started = performance.now()
    try {
      const result = await this.#send(sql, parameters, this.#hooks.nameOf(sql))
      const affected = AFFECTING.has(result.command) ? { numAffectedRows: BigInt(result.rowCount ?? 0) } : {}
      return { ...affected, rows: result.rows }
    } finally {
      this.#hooks.observe(sql, performance.now() - started)
    }
  }

  /** Sends all statements of this turn of the event loop in one write. */
  gather(): void {
    const { stream } = this.#client.connection
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  /** Runs statements without parameters, separated by `;`. Resolves to the command tag of the last one. */
  async run(sql: string): Promise<string> {
    const result: pg.QueryResult | pg.QueryResult[] = await this.#send(sql, undefined, undefined)
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

  async #send(sql: string, parameters: readonly unknown[] | undefined, name: string | undefined): Promise<pg.QueryResult> {
    if (this.#released) throw new Error('a statement was sent after the end of its unit of work; await every statement inside it')
    const { promise, resolve, reject } = Promise.withResolvers<pg.QueryResult>()
    const values = parameters === undefined || parameters.length === 0 ? undefined : [...parameters]
    this.#client.query(new Statement(sql, values, name, (error, result) => (error ? reject(error) : resolve(result))))
    try {
      const result = await promise
      this.#hooks.answered()
      return result
    } catch (error) {
      const failure = toAppError(error)
      if (makesUnusable(failure)) this.#unusable = true
      throw failure
    }
  }
}

const AFFECTING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])
