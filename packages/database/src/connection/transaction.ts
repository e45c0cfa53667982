import { AppError } from '@youworker/contracts/errors'
import { faultPoint } from '@youworker/runtime/process/fault-point'
import { type ConnectionProvider, type Dialect, type Driver, type Kysely, Transaction } from 'kysely'
import type { PgConnection } from './pg-connection.ts'
import type { ConnectionSource } from './dialect.ts'
import type { SystemTables } from '../schema/system-tables.ts'

export type Mode = 'read' | 'write'

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
const ignore = () => {}

/**
 * Runs `work` in one transaction that sees the rows of `spaces` (ids joined by commas, or `*`). To save round trips the begin
 * is sent together with the setting and, in a read, with the first statement; a read does not wait for its commit.
 */
export async function transact<Tables, T>(
  source: TransactionSource<Tables>,
  spaces: string,
  mode: Mode,
  work: (scope: TransactionScope<Tables>) => Promise<T>,
): Promise<T> {
  const connection = await source.connections.acquire()
  let publishes = false
  try {
    if (mode === 'read') connection.gather()
    const begun = connection.run(`${BEGIN[mode]}; set local app.spaces = '${spaces}'`)
    begun.catch(ignore)
    // If the begin failed, the statements sent after it would commit one by one.
    if (mode === 'write') await begun
    const result = await work({ ...handles(source, connection), markOutbox: () => (publishes = true) })
    await begun
    // The commit of a read may be sent together with the begin of the next one.
    if (mode === 'read') connection.gather()
    const committed = connection.run('commit')
    if (mode === 'read') committed.catch(ignore)
    else if ((await committed) === 'ROLLBACK') throw new AppError('DATABASE_ERROR', 'A refused statement undid the whole change')
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

function handles<Tables>({ kysely, dialect }: TransactionSource<Tables>, connection: PgConnection) {
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
  const executor = kysely.getExecutor().withConnectionProvider(provider)
  const props = { config: { dialect }, driver: dialect.driver, dialect, executor }
  return { trx: new Transaction<Tables>(props), system: new Transaction<SystemTables>(props) }
}

async function rollBack(connection: PgConnection): Promise<void> {
  try {
    await connection.run('rollback')
    connection.release()
  } catch {
    connection.release(true)
  }
}
