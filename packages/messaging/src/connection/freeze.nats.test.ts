import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { analytics } from '@youworker/contracts/analytics'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { createClient } from '../requests/client.ts'
import { serve } from '../requests/server.ts'
import { closeNats, connectNats, natsCheck } from './connect.ts'

const logger = silentLogger()
const contract = { getOverview: { ...analytics.getOverview, auth: 'none' } } as const
const answer = {
  period_days: 1,
  sessions: { total: 0, avg_per_day: 0 },
  messages: { total: 0, avg_per_session: 0 },
  tokens: { total: 0, avg_per_message: 0 },
  tools: { total_runs: 0, success_rate: 0, avg_latency_ms: 0 },
  documents: { total: 0 },
  ingestion: { total_runs: 0 },
}
const FREEZE_MS = 32_000
const ESTABLISHED = '01'

/** Connections of this machine to a local port (proc(5), /proc/net/tcp: ports in hexadecimal). */
async function openConnections(port: string): Promise<number> {
  const remote = `:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1)
  const columns = lines.map((line) => line.trim().split(/ +/))
  return columns.filter(([, , to = '', state]) => to.endsWith(remote) && state === ESTABLISHED).length
}

test('after a frozen NATS goes on every request is answered, by one connection for each process', async () => {
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const open = async (service: string) => stack.adopt(await connectNats({ url: server.url, service, logger }), closeNats)
  const caller = await open('gateway')
  const replicas = [await open('analytics'), await open('analytics')]
  for (const nats of replicas) {
    stack.use(await serve(nats, contract, { getOverview: async () => answer }, { service: 'analytics', logger }))
  }
  const client = createClient(caller, contract)
  await client.getOverview({})
  server.freeze()
  await sleep(FREEZE_MS)
  server.thaw()
  await waitFor(
    () =>
      natsCheck(caller)().then(
        () => true,
        () => false,
      ),
    { what: 'the connection' },
  )
  await sleep(8_000)
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, () =>
      client.getOverview({}).then(
        () => 'ok',
        (error: { code: string }) => error.code,
      ),
    ),
  )
  expect(outcomes.filter((outcome) => outcome !== 'ok')).toEqual([])
  expect(await openConnections(new URL(server.url).port)).toBe(3)
}, 120_000)
