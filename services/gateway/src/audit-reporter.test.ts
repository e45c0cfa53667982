import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { silentLogger } from '@youworker/runtime/logger'
import { expect, test } from 'vitest'
import { AuditReporter } from './audit-reporter.ts'
import type { RequestContext } from './http/request-context.ts'

const from = (address: string, user_id = 'nobody') =>
  ({ address, correlationId: 'c-1', caller: { user_id } }) as unknown as RequestContext

function fixture(publish: (events: readonly EventEnvelope[]) => Promise<number[]> = async () => []) {
  let now = 1_000_000
  const sent: string[] = []
  const reporter = new AuditReporter(
    {
      publish(events) {
        for (const { data } of events) sent.push(`${String(data['action'])} ${String(data['target_id'])}`)
        return publish(events)
      },
    },
    { logger: silentLogger(), now: () => now },
  )
  return { reporter, sent, wait: (ms: number) => void (now += ms) }
}

test('a flood from one address is one entry per kind and minute; IPv6 counts per /64', () => {
  const { reporter, sent, wait } = fixture()
  for (let n = 0; n < 1_000; n += 1) {
    reporter.refusedCredential('api_key', from('203.0.113.7'))
    reporter.refusedCredential('session', from(`2001:db8:0:0:0:0:0:${n.toString(16)}`))
  }
  expect(sent).toEqual(['api_key.use 203.0.113.7', 'session.use 2001:db8:0:0:0:0:0:0'])
  wait(60_000)
  reporter.refusedCredential('api_key', from('203.0.113.7'))
  expect(sent).toHaveLength(3)
})

test('a flood from many addresses ends with one entry for the rest, and tasks are still reported', () => {
  const { reporter, sent } = fixture()
  for (let n = 0; n < 5_000; n += 1) reporter.refusedCredential('api_key', from(`10.0.${n >> 8}.${n & 255}`))
  expect(sent).toHaveLength(101)
  expect(sent.at(-1)).toBe('api_key.use null')
  reporter.unknownTask('task.get', 't-1', from('10.0.0.1', 'ada'))
  reporter.unknownTask('task.cancel', 't-1', from('10.0.0.1', 'ada'))
  expect(sent.slice(101)).toEqual(['task.get t-1'])
})

test('a publisher that fails disturbs nobody', async () => {
  const { reporter, sent } = fixture(() => Promise.reject(new Error('NATS is away')))
  reporter.refusedCredential('jwt', from('203.0.113.7'))
  // A rejection that nobody handles would end the process.
  await new Promise((resolve) => setImmediate(resolve))
  expect(sent).toHaveLength(1)
})
