import { AppError } from '@youworker/contracts/errors'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { traced } from '@youworker/runtime/tracing/span'
import { type ConnectionProvider, type Dialect, type Driver, type Kysely, Transaction } from 'kysely'
import { faultOf, outcomeUnknown, tooLate } from './database-error.ts'
import type { PgConnection } from './pg-connection.ts'
import type { ConnectionSource } from './dialect.ts'
import type { SystemTables } from '../schema/system-tables.ts'

export type Mode = 'read' | 'write'

/**
 * The rows that a transaction sees: of spaces, whose ids are joined by commas (`*`: all), and on demand those that are deleted. `parts`:
 * of these spaces only those of a part, `<space>/<part>` joined by commas.
 */
export type Seen = string | { readonly spaces: string; readonly deleted?: boolean; readonly parts?: string }

export interface SystemScope {
  readonly system: Transaction<SystemTables>
  /** Wakes the relay after the commit. */
  markOutbox(): void
}

/** The query builders of one transaction: for the owner's tables and for the system tables. */
export interface TransactionScope<Tables> extends SystemScope {
  readonly trx: Transaction<Tables>
}

interface TransactionSource<Tables> {
  readonly connections: ConnectionSource
  readonly dialect: Dialect & { readonly driver: Driver }
  readonly kysely: Kysely<Tables>
  readonly onCommitted: () => void
}

const BEGIN: Readonly<Record<Mode, string>> = { read: 'begin read only', write: 'begin' }
const SPAN = { read: { kind: 'internal', name: 'read' }, write: { kind: 'internal', name: 'write' } } as const
const ignore = () => {}
/** After this long the connection is closed instead: Postgres then rolls back by itself. */
const ROLLBACK_MS = 1_000

/**
 * Runs `work` in one transaction. To save round trips the begin
 * is sent together with the setting and, in a read, with the first statement; a read does not wait for its commit.
 */
export function transact<Tables, T>(
  source: TransactionSource<Tables>,
  seen: Seen,
  mode: Mode,
  work: (scope: TransactionScope<Tables>) => Promise<T>,
): Promise<T> {
  return traced(SPAN[mode], () => run(source, seen, mode, work))
}

async function run<Tables, T>(
  source: TransactionSource<Tables>,
  seen: Seen,
  mode: Mode,
  work: (scope: TransactionScope<Tables>) => Promise<T>,
): Promise<T> {
  const connection = await source.connections.acquire()
  let publishes = false
  try {
    const begun = connection.run(`${BEGIN[mode]}; ${settingOf(seen)}`)
    begun.catch(ignore)
    // If the begin failed, the statements sent after it would commit one by one.
    if (mode === 'write') await begun
    const result = await work({ ...handles(source, connection), markOutbox: () => (publishes = true) })
    await begun
    if (mode === 'read') endRead(connection)
    else await commit(connection)
    connection.release()
    if (publishes) {
      faultPoint('after_commit')
      source.onCommitted()
    }
    return result
  } catch (error) {
    await rollBack(connection)
    throw error
  }
}

function settingOf(seen: Seen): string {
  if (typeof seen === 'string') return `set local app.spaces = '${seen}'`
  const deleted = seen.deleted === true ? `; set local app.deleted = 'shown'` : ''
  const parts = seen.parts === undefined || seen.parts === '' ? '' : `; set local app.parts = '${seen.parts}'`
  return `set local app.spaces = '${seen.spaces}'${deleted}${parts}`
}

function handles<Tables>({ kysely, dialect }: TransactionSource<Tables>, connection: PgConnection) {
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
  const executor = kysely.getExecutor().withConnectionProvider(provider)
  const props = { config: { dialect }, driver: dialect.driver, dialect, executor }
  return { trx: new Transaction<Tables>(props), system: new Transaction<SystemTables>(props) }
}

/** Not awaited. May be sent together with the begin of the next transaction on the connection. */
function endRead(connection: PgConnection): void {
  connection.run('commit', Infinity).catch(ignore)
}

async function commit(connection: PgConnection): Promise<void> {
  if (timeLeft() <= 0) throw tooLate()
  const tag = await connection.run('commit').catch((error: unknown) => {
    throw error instanceof AppError && faultOf(error) === undefined ? outcomeUnknown(error) : error
  })
  if (tag === 'ROLLBACK') throw new AppError('DATABASE_ERROR', 'A refused statement undid the whole change')
}

async function rollBack(connection: PgConnection): Promise<void> {
  try {
    await connection.run('rollback', ROLLBACK_MS)
    connection.release()
  } catch {
    connection.release(true)
  }
}
