import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { AppError } from '@youworker/contracts/errors'
import { group } from '@youworker/contracts/group'
import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { AckPolicy } from 'nats'
import { expect, test } from 'vitest'
import { closeNats, connectNats } from '../connection/connect.ts'
import { ensureEventStream } from './ensure-event-stream.ts'
import { consumeEvents, createEventPublisher, type DeadLetter, type EventHandler, subscribeEvent, on } from './events.ts'

const logger = silentLogger()

const envelope = (type: string, data: Record<string, unknown>): EventEnvelope => ({
  specversion: '1.0',
  id: newId(),
  source: type.split('.')[1] ?? '',
  type,
  time: new Date().toISOString(),
  datacontenttype: 'application/json',
  data,
})
const deletion = () => envelope(group.groupDeleted.subject, { group_id: newId(), user_id: newId() })
const run = () => envelope(chatAgent.sessionDeleted.subject, { session_id: newId(), user_id: newId() })

async function fixture() {
  const stack = new AsyncDisposableStack()
  const server = stack.use(await testNats())
  const ensure = () => ensureEventStream({ url: server.url, logger })
  await ensure()
  const connect = async () => stack.adopt(await connectNats({ url: server.url, service: 'ingestion', logger }), closeNats)
  const nats = await connect()
  const publisher = createEventPublisher(nats, { logger })
  const letters: DeadLetter[] = []
  const consume = async (handlers: EventHandler[], deadLetter = async (letter: DeadLetter) => void letters.push(letter)) =>
    stack.use(await consumeEvents(await connect(), { service: 'ingestion', logger, handlers, deadLetter }))
  return { stack, server, nats, connect, ensure, publisher, consume, letters, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('the stream is created once, and events get consecutive numbers in their order; a repeated event keeps its number', async () => {
  await using h = await fixture()
  const made = await h.publisher.stream()
  expect(made.last_seq).toBe(0)
  const events = Array.from({ length: 300 }, deletion)
  expect(await h.publisher.publish(events)).toEqual(events.map((_, index) => index + 1))
  expect(await h.publisher.publish(events.slice(10, 12))).toEqual([11, 12])
  expect(await h.publisher.stream()).toEqual({ created: made.created, last_seq: 300 })
  const { config } = await (await h.nats.core.jetstreamManager()).streams.info(EVENT_STREAM.name)
  expect(config).toMatchObject({
    subjects: EVENT_STREAM.subjects,
    storage: 'file',
    num_replicas: 1,
    max_age: 7 * 86_400e9,
    duplicate_window: 120e9,
  })
})

test('without a stream publishing fails with SERVICE_UNAVAILABLE; the publisher reports reconnects', async () => {
  await using h = await fixture()
  await (await h.nats.core.jetstreamManager()).streams.delete(EVENT_STREAM.name)
  await expect(h.publisher.publish([deletion()])).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  let reconnects = 0
  using _listening = h.publisher.onReconnect(() => void (reconnects += 1))
  await h.server.stop()
  await expect(h.publisher.publish([deletion()])).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  await h.server.start()
  await waitFor(() => reconnects === 1, { what: 'the reconnect' })
})

test('two replicas share one durable: every event with a handler is handled exactly once, others are skipped', async () => {
  await using h = await fixture()
  const events = Array.from({ length: 200 }, (_, n) => (n % 4 === 0 ? run() : deletion()))
  await h.publisher.publish(events.slice(0, 50))
  const handled: [number, string][] = []
  const replica = (index: number) => [
    on(group.groupDeleted, async ({ group_id }, { id, data }) => {
      expect(group_id).toBe(data['group_id'])
      handled.push([index, id])
    }),
    on(group.groupCreated, async () => {
      throw new Error('never published')
    }),
  ]
  await h.consume(replica(0))
  await h.consume(replica(1))
  await h.publisher.publish(events.slice(50))
  const wanted = events.filter(({ type }) => type === group.groupDeleted.subject).map(({ id }) => id)
  await waitFor(() => handled.length >= wanted.length, { what: 'all events' })
  await waitFor(async () => (await consumerInfo(h)).num_pending + (await consumerInfo(h)).num_ack_pending === 0, {
    what: 'all acknowledged',
  })
  expect(handled.map(([, id]) => id).sort()).toEqual(wanted.sort())
})

test('an event that always fails goes to the dead letters with a reason after 5 deliveries and delays no other', async () => {
  await using h = await fixture()
  const [poison, ...good] = Array.from({ length: 60 }, deletion)
  if (!poison) throw new Error('no event')
  const tries = new Map<string, number>()
  await h.consume([
    on(group.groupDeleted, async (_, { id }) => {
      tries.set(id, (tries.get(id) ?? 0) + 1)
      if (id === poison.id) throw new Error('always fails')
    }),
  ])
  await h.publisher.publish([poison])
  const malformed = envelope(group.groupDeleted.subject, { group_id: 'no id' })
  await h.publisher.publish([malformed, ...good])
  h.nats.core.publish(group.groupDeleted.subject, Uint8Array.of(0xff, 0x00, 0x7b))
  await waitFor(() => good.every(({ id }) => tries.get(id) === 1), { what: 'the good events', timeoutMs: 5_000 })
  await waitFor(() => h.letters.length === 3, { what: 'the dead letters' })
  const [first, second, last] = h.letters
  expect(JSON.parse(first?.envelope_json ?? '')).toEqual(malformed)
  expect(first?.reason).toMatch(/^not an event of/)
  expect(second?.reason).toMatch(/^not an event of/)
  expect(JSON.parse(last?.envelope_json ?? '')).toEqual(poison)
  expect(last?.reason).toBe('failed 5 times, at last with: always fails')
  expect(tries.get(poison.id)).toBe(5)
  await waitFor(async () => (await consumerInfo(h)).num_ack_pending === 0, { what: 'all acknowledged' })
})

test('an event that names another subject than it came on is not handled, and is never sent again as that one', async () => {
  await using h = await fixture()
  const handled: string[] = []
  await h.consume([
    on(group.groupDeleted, async (_, { id }) => void handled.push(id)),
    on(group.groupCreated, async (_, { id }) => void handled.push(id)),
  ])
  const forged = { ...deletion(), type: group.groupCreated.subject }
  h.nats.core.publish(group.groupDeleted.subject, JSON.stringify(forged))
  await waitFor(() => h.letters.length === 1, { what: 'the dead letter' })
  expect(h.letters[0]?.reason).toContain('names another event')
  expect(JSON.parse(h.letters[0]?.envelope_json ?? '')).toEqual({ ...forged, type: group.groupDeleted.subject })
  expect(handled).toEqual([])
})

test('what a handler needs may be away for as long as it likes: nothing goes to the dead letters, everything is handled', async () => {
  await using h = await fixture()
  const events = Array.from({ length: 40 }, deletion)
  await h.publisher.publish(events)
  let isAway = true
  const tries = new Map<string, number>()
  const handled: string[] = []
  await h.consume([
    on(group.groupDeleted, async (_, { id }) => {
      tries.set(id, (tries.get(id) ?? 0) + 1)
      if (isAway) throw new AppError('SERVICE_UNAVAILABLE', 'Postgres is away')
      handled.push(id)
    }),
  ])
  await waitFor(() => [...tries.values()].some((count) => count > 7), {
    what: 'more tries than faults are allowed',
    timeoutMs: 30_000,
  })
  expect(tries.size, 'no more are pulled than can wait').toBeLessThanOrEqual(16)
  isAway = false
  await waitFor(() => handled.length === events.length, { what: 'all events', timeoutMs: 30_000 })
  expect(handled.sort()).toEqual(events.map(({ id }) => id).sort())
  expect(h.letters).toEqual([])
}, 90_000)

test('an event that ends its process each time goes to the dead letters in the end', async () => {
  await using h = await fixture()
  const [deadly, good] = [deletion(), deletion()]
  await h.publisher.publish([deadly])
  const durable = await h.nats.core.jetstream().consumers.get(EVENT_STREAM.name, 'ingestion')
  // Each delivery that a process did not live to answer counts.
  for (let delivery = 0; delivery < 25; delivery += 1) (await durable.next({ expires: 5_000 }))?.nak()
  await h.publisher.publish([good])
  const handled: string[] = []
  await h.consume([on(group.groupDeleted, async (_, { id }) => void handled.push(id))])
  await waitFor(() => h.letters.length === 1 && handled.length === 1, { what: 'the dead letter' })
  expect(h.letters[0]?.reason).toBe('ingestion ended 25 times over it')
  expect(handled).toEqual([good.id])
})

test('an event whose dead letter cannot be stored is redelivered', async () => {
  await using h = await fixture()
  await h.publisher.publish([envelope(group.groupDeleted.subject, {})])
  const kept: string[] = []
  let isDown = true
  await h.consume([on(group.groupDeleted, async () => {})], async ({ reason }) => {
    if (isDown) {
      isDown = false
      throw new Error('database away')
    }
    kept.push(reason)
  })
  await waitFor(() => kept.length === 1, { what: 'the dead letter' })
  expect(kept).toEqual([expect.stringMatching(/^not an event of/)])
})

test('slow handlers delay no other event while there is capacity, and stopping waits for them', async () => {
  await using h = await fixture()
  const gate = Promise.withResolvers<void>()
  const slow = Array.from({ length: 10 }, deletion)
  const slowIds = new Set(slow.map(({ id }) => id))
  const done: string[] = []
  const consumer = await h.consume([
    on(group.groupDeleted, async (_, { id }) => {
      if (slowIds.has(id)) await gate.promise
      done.push(id)
    }),
  ])
  await h.publisher.publish(slow)
  const quick = Array.from({ length: 100 }, deletion)
  await h.publisher.publish(quick)
  await waitFor(() => done.length === 100, { what: 'the quick events' })
  let stopped = false
  const stopping = consumer[Symbol.asyncDispose]().then(() => (stopped = true))
  await h.nats.core.flush()
  expect(stopped).toBe(false)
  gate.resolve()
  await stopping
  expect(done).toHaveLength(110)
})

test('a store that was deleted while the server was down is created again, and events flow again', async () => {
  await using h = await fixture()
  const before = await h.publisher.stream()
  const handled = new Set<string>()
  await h.consume([on(group.groupDeleted, async (_, { id }) => void handled.add(id))])
  const [first, second] = [deletion(), deletion()]
  await h.publisher.publish([first])
  await waitFor(() => handled.has(first.id), { what: 'the first event' })
  await h.server.stop()
  await h.server.deleteStore()
  await h.server.start()
  await h.ensure()
  const after = await waitFor(() => h.publisher.stream(), { what: 'the stream' })
  expect(after.created).not.toBe(before.created)
  await waitFor(() => h.publisher.publish([second]), { what: 'publishing' })
  await waitFor(() => handled.has(second.id), { what: 'the second event' })
})

test('no event is lost when the durable is deleted or the server restarts', async () => {
  await using h = await fixture()
  const handled = new Set<string>()
  await h.consume([on(group.groupDeleted, async (_, { id }) => void handled.add(id))])
  const manager = await h.nats.core.jetstreamManager()
  await manager.consumers.delete(EVENT_STREAM.name, 'ingestion')
  await h.ensure()
  const [first, second] = [deletion(), deletion()]
  await h.publisher.publish([first])
  await waitFor(() => handled.has(first.id), { what: 'the event after the durable was deleted' })
  await h.server.stop()
  await h.server.start()
  await waitFor(() => h.publisher.publish([second]), { what: 'publishing' })
  await waitFor(() => handled.has(second.id), { what: 'the event after the restart' })
  expect([...handled]).toEqual([first.id, second.id])
})

test('a durable of an earlier release, without a filter, is replaced; what it had not acknowledged is not lost', async () => {
  await using h = await fixture()
  const { consumers } = await h.nats.core.jetstreamManager()
  await consumers.delete(EVENT_STREAM.name, 'ingestion')
  await consumers.add(EVENT_STREAM.name, { durable_name: 'ingestion', ack_policy: AckPolicy.Explicit, max_deliver: -1 })
  const events = [deletion(), run(), deletion(), deletion()]
  await h.publisher.publish(events)
  const old = await h.nats.core.jetstream().consumers.get(EVENT_STREAM.name, 'ingestion')
  // The first two are acknowledged, the third was delivered only.
  for (const isAcknowledged of [true, true, false]) {
    const message = await old.next()
    if (isAcknowledged) await message?.ackAck()
  }
  await h.ensure()
  const handled: string[] = []
  await h.consume([on(group.groupDeleted, async (_, { id }) => void handled.push(id))])
  await waitFor(() => handled.length === 2, { what: 'the events that were not acknowledged' })
  expect(handled).toEqual([events[2]?.id, events[3]?.id])
  const { config, created } = await consumerInfo(h)
  expect(config.filter_subject ?? config.filter_subjects?.join()).toMatch(/^events[.](auth|group|[*])[.]v1[.]/)
  await h.ensure()
  expect((await consumerInfo(h)).created, 'made once').toBe(created)
})

test('without the stream a consumer and the publisher say which command makes it', async () => {
  await using h = await fixture()
  await (await h.nats.core.jetstreamManager()).streams.delete(EVENT_STREAM.name)
  const hint = expect.objectContaining({ message: expect.stringContaining('npm run youworker -- migrate') })
  await expect(h.publisher.stream()).rejects.toThrow(hint)
  await expect(h.consume([on(group.groupDeleted, async () => {})])).rejects.toThrow(hint)
})

test('every subscriber receives an event, and a listener that throws does not affect the others', async () => {
  await using h = await fixture()
  const other = await h.connect()
  const received: string[] = []
  using _one = subscribeEvent(h.nats, group.groupDeleted, ({ group_id }) => void received.push(group_id))
  using _two = subscribeEvent(other, group.groupDeleted, (_, { id }) => {
    received.push(id)
    throw new Error('a bug')
  })
  await Promise.all([h.nats.core.flush(), other.core.flush()])
  h.nats.core.publish(group.groupDeleted.subject, '{"nonsense":')
  const events = [deletion(), deletion()]
  await h.publisher.publish(events)
  await waitFor(() => received.length >= 4, { what: 'both events at both' })
  expect(received.sort()).toEqual(events.flatMap(({ id, data }) => [id, String(data['group_id'])]).sort())
})

async function consumerInfo({ nats }: Awaited<ReturnType<typeof fixture>>) {
  return (await nats.core.jetstreamManager()).consumers.info(EVENT_STREAM.name, 'ingestion')
}
