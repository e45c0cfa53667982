import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'

let dir: string
let system: SpawnedSystem
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-readiness-'))
  system = await spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'auth=2,chat-agent=2'])
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const ready = () => system.root.get('/health/ready')
const becomes = (status: 200 | 503) =>
  waitFor(async () => (await ready()).status === status, { what: `/health/ready to be ${status}` })

async function ownReadiness(name: string): Promise<number> {
  const { health_url } = await system.process(name)
  return (await fetch(new URL('/health/ready', health_url))).status
}

/** Freezes several processes at once. */
const allFrozen = (names: readonly string[], work: () => Promise<void>): Promise<void> =>
  names.length === 0 ? work() : system.frozen(names[0] ?? '', () => allFrozen(names.slice(1), work))

test.each([
  [['postgres'], 'auth'],
  [['nats'], 'nats'],
  [['auth.1', 'auth.2'], 'auth'],
  [['chat-agent.1', 'chat-agent.2'], 'chat-agent'],
])(
  'while %j is frozen the gateway is not ready and says why without an address; it is live, and ready again afterwards',
  async (frozen, why) => {
    await becomes(200)
    await allFrozen(frozen, async () => {
      await becomes(503)
      expect((await system.root.get('/health/live')).status).toBe(200)
      // Each service notices by itself, one a little later than another.
      const named = await waitFor(
        async () => {
          const answer = await ready()
          return answer.body.components[why]?.status === 'down' && answer
        },
        { what: `${why} as the reason` },
      )
      expect([named.status, Number(named.headers.get('retry-after')) > 0, named.body.status]).toEqual([503, true, 'down'])
      expect(JSON.stringify(named.body)).not.toMatch(/127\.0\.0\.1|localhost|:\d{4}|message/)
      expect((await system.root.get('/health')).body.status).toBe('down')
      if (frozen[0] !== 'postgres') return
      for (const name of ['group.1', 'ingestion.1', 'analytics.1']) {
        await waitFor(async () => (await ownReadiness(name)) === 503, { what: `${name} not to be ready` })
      }
    })
    await becomes(200)
    for (const name of ['auth.1', 'group.1', 'ingestion.1', 'analytics.1', 'tools.1', 'gateway.1']) {
      await waitFor(async () => (await ownReadiness(name)) === 200, { what: `${name} to be ready` })
    }
  },
)

test.each([['auth.1'], ['chat-agent.2']])('with %s frozen and another replica the gateway stays ready', async (name) => {
  await becomes(200)
  const statuses: number[] = []
  await system.frozen(name, async () => {
    const until = Date.now() + 10_000
    for (; Date.now() < until; await sleep(100)) statuses.push((await ready()).status)
  })
  expect(statuses.length).toBeGreaterThan(20)
  expect(new Set(statuses)).toEqual(new Set([200]))
})
