import { settledWithin } from '@youworker/runtime/timing/settled-within'
import pg from 'pg'

/**
 * Whether a Postgres answers a new connection and a query. What it refuses counts as an answer (it may be starting, or full): only
 * silence is the sign of a hanging server. Nothing is written, so that a slow disk is not taken for one. Rejects after `timeoutMs`.
 */
export async function askPostgres(url: string, timeoutMs: number): Promise<void> {
  const timeouts = { connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs }
  const client = new pg.Client({ connectionString: url, application_name: 'youworker health check', ...timeouts })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
  } finally {
    // It waits for the server to close the connection.
    await settledWithin(timeoutMs, client.end())
  }
}
