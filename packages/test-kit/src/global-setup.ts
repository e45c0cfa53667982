import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { testPassword } from './database.ts'

/** Starts one Postgres for all tests of a run and finds nats-server. Returns the teardown. */
export async function setup(): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-test-'))
  // No data outlives the run, so nothing needs to be flushed to disk.
  const settings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: 1_000 }
  const options = { dataDir: join(dir, 'postgres'), port: await freePort(), password: testPassword, settings }
  const [postgres] = await Promise.all([startPostgres(options), findNatsServer({})])
  process.env['TEST_POSTGRES_URL'] = postgres.adminUrl
  return async () => {
    await postgres.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
