import { setTimeout as sleep } from 'node:timers/promises'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { healthContract } from '@youworker/contracts/health'
import { liveSubject, readySubject } from '@youworker/contracts/topology/subjects'
import { newId } from '@youworker/runtime/id'
import { Readiness } from '@youworker/runtime/health/readiness'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { createClient } from '../requests/client.ts'
import { closeNats, connectNats, onReconnect } from '../connection/connect.ts'
import { subscribeLive, publishLive } from './live.ts'
import { serveHealth } from '../requests/server.ts'
import { announceReadiness, ReplicaReadiness } from './readiness.ts'
import { onWake, wake } from './wake.ts'

const logger = silentLogger()
const token = (n: number, text: string): RunEntry => ({ n, body: { event: 'token', data: { text } } })

test('live entries reach every subscriber of that run in order, also after a server restart', async () => {
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const connect = async (service: string) => stack.adopt(await connectNats({ url: server.url, service, logger }), closeNats)
  const [agent, gateway] = [await connect('chat-agent'), await connect('gateway')]
  const runId = newId()
  const received: RunEntry[][] = [[], []]
  using first = subscribeLive(gateway, runId, (entry) => void received[0]?.push(entry))
  using _second = subscribeLive(gateway, runId, (entry) => {
    received[1]?.push(entry)
    throw new Error('a subscriber with a bug')
  })
  await gateway.core.flush()

  const entries = Array.from({ length: 50 }, (_, n) => token(1_000_001 + n, `wörd ${n} 🙂`))
  for (const entry of entries) publishLive(agent, runId, entry)
  publishLive(agent, newId(), token(1, 'another run'))
  agent.core.publish(liveSubject(runId), 'no JSON')
  agent.core.publish(liveSubject(runId), '7')
  await waitFor(() => received.every(({ length }) => length === 50), { what: 'all entries' })
  expect(received).toEqual([entries, entries])

  let reconnects = 0
  using _reconnected = onReconnect(gateway, () => {
    reconnects += 1
    throw new Error('a listener with a bug')
  })
  await server.stop()
  publishLive(agent, runId, token(2, 'lost'))
  first[Symbol.dispose]()
  await server.start()
  await waitFor(
    () => {
      if (reconnects === 1) publishLive(agent, runId, token(3, 'again'))
      return received[1]?.at(-1)?.n === 3
    },
    { what: 'an entry after the restart' },
  )
  expect(received[0]).toHaveLength(50)
})

test('a wake reaches every replica, and only that kind', async () => {
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const connect = async () => stack.adopt(await connectNats({ url: server.url, service: 'ingestion', logger }), closeNats)
  const [one, two] = [await connect(), await connect()]
  const woken = [0, 0, 0]
  const count = (index: number) => () => void (woken[index] = (woken[index] ?? 0) + 1)
  using _a = onWake(one, 'ingestion', 'run', count(0))
  using _b = onWake(two, 'ingestion', 'run', count(1))
  using _c = onWake(two, 'ingestion', 'other', count(2))
  await Promise.all([one.core.flush(), two.core.flush()])
  wake(one, 'ingestion', 'run')
  await waitFor(() => woken[0] === 1 && woken[1] === 1, { what: 'both replicas' })
  expect(woken[2]).toBe(0)
})

test('health names the failed dependency and what to do', async () => {
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: server.url, service: 'group', logger }), closeNats)
  const down = async () => {
    throw new Error('start Postgres')
  }
  const readiness = stack.use(new Readiness({ nats: async () => {}, postgres: down }))
  stack.use(await serveHealth(nats, 'group', readiness, { logger }))
  const { components } = await createClient(nats, healthContract('group')).checkHealth({})
  expect(components).toEqual([
    { name: 'nats', status: 'ok', latency_ms: expect.any(Number) },
    { name: 'postgres', status: 'down', latency_ms: expect.any(Number), message: 'start Postgres' },
  ])
})

test('a service is ready while any of its replicas says so; one that falls silent or is not ready takes nothing away', async () => {
  await using server = await testNats()
  await using stack = new AsyncDisposableStack()
  const replica = async (metricsAt: string) => {
    const nats = stack.adopt(await connectNats({ url: server.url, service: 'auth', logger }), closeNats)
    const state = { works: true }
    const readiness = stack.use(new Readiness({ all: () => (state.works ? Promise.resolve() : Promise.reject(new Error('no'))) }))
    const announcement = announceReadiness(nats, 'auth', { readiness, metricsAt })
    return { state, nats, announcement }
  }
  const gateway = stack.adopt(await connectNats({ url: server.url, service: 'gateway', logger }), closeNats)
  const replicas = stack.use(new ReplicaReadiness(gateway, ['auth', 'group'], ['auth']))
  const status = () => replicas.components().map((component) => component.status)
  expect(status()).toEqual(['down'])
  const [first, second] = [await replica('10.0.0.1:8080'), await replica('[::1]:8080')]
  const addresses = () => replicas.targets().map(({ address }) => address)
  await waitFor(() => status()[0] === 'ok', { what: 'a replica that is ready' })

  // What the kernel does to a frozen process, as far as others can see.
  first.nats.isUp = false
  const until = Date.now() + 5_000
  while (Date.now() < until) {
    expect(status()).toEqual(['ok'])
    await sleep(100)
  }
  // Its address stays, so that somebody asks there in vain.
  await waitFor(() => addresses().length === 2, { what: 'both addresses' })
  expect(replicas.targets()).toEqual([
    { address: '10.0.0.1:8080', services: ['auth'] },
    { address: '[::1]:8080', services: ['auth'] },
  ])
  second.state.works = false
  await waitFor(() => status()[0] === 'down', { what: 'a service without a replica that is ready' })
  second.state.works = true
  await waitFor(() => status()[0] === 'ok', { what: 'its return' })
  first.announcement[Symbol.dispose]()
  // A lost connection counts at once, and what was replicas before it not any more.
  await server.stop()
  await waitFor(() => !gateway.isUp, { what: 'the loss' })
  expect(status()).toEqual(['down'])
  await server.start()
  await waitFor(() => status()[0] === 'ok', { what: 'the replica after the reconnect' })
  second.announcement[Symbol.dispose]()
  await waitFor(() => status()[0] === 'down', { what: 'the goodbye of the last replica' })
  gateway.core.publish(readySubject('auth'), '{"replica":"everything","ready":true}')
  gateway.core.publish(readySubject('auth'), 'no JSON')
  const forged = { replica: newId(), ready: true, metrics: 'evil/path:80' }
  gateway.core.publish(readySubject('auth'), JSON.stringify(forged))
  await gateway.core.flush()
  expect(status()).toEqual(['down'])
  // The goodbye of the first was said while nobody could hear it.
  expect(addresses()).not.toContain('evil/path:80')
})
