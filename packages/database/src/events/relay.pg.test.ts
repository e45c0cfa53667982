import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { group } from '@youworker/contracts/group'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EventPublisher, startRelay } from './relay.ts'
import { sweep } from './sweep.ts'
import { type Fixture, noteDatabase } from '../test-fixture.ts'

/** Stands for JetStream: numbers the events it stores, drops repeats by id and can lose its store. */
class Stream implements EventPublisher {
  stored = new Map<string, number>()
  received: EventEnvelope[] = []
  /** Sizes of the batches. */
  batches: number[] = []
  away = false
  #created = newId()
  #last = 0
  readonly #listeners = new Set<() => void>()

  async stream() {
    this.#answer()
    return { created: this.#created, last_seq: this.#last }
  }

  async publish(envelopes: readonly EventEnvelope[]): Promise<number[]> {
    this.#answer()
    this.batches.push(envelopes.length)
    return envelopes.map((envelope) => {
      this.received.push(envelope)
      const known = this.stored.get(envelope.id)
      if (known !== undefined) return known
      this.#last += 1
      this.stored.set(envelope.id, this.#last)
      return this.#last
    })
  }

  onReconnect(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Loses the store; `quietly`: without a reconnect. */
  lose({ quietly = false } = {}): void {
    this.stored.clear()
    this.received = []
    this.#last = 0
    this.#created = newId()
    if (!quietly) this.#listeners.forEach((listener) => listener())
  }

  /** Loses the events after `seq`. */
  loseAfter(seq: number): void {
    for (const [id, number] of this.stored) if (number > seq) this.stored.delete(id)
    this.#last = seq
    this.#listeners.forEach((listener) => listener())
  }

  #answer(): void {
    if (this.away) throw new Error('no stream')
  }
}

let fixture: Fixture
beforeEach(async () => {
  fixture = await noteDatabase()
})
afterEach(async () => {
  await fixture[Symbol.asyncDispose]()
})

const options = { service: 'group', logger: silentLogger() }

const addEvents = (count: number) =>
  fixture.uow.system().write(async ({ outbox }) => {
    const ids = Array.from({ length: count }, newId)
    for (const group_id of ids) outbox.add(group.groupCreated, { group_id, user_id: newId() }, { correlationId: 'corr-1' })
    return ids
  })

const groupsOf = (envelopes: readonly EventEnvelope[]) => envelopes.map(({ data }) => data['group_id'])
const unpublished = () => fixture.database.system.selectFrom('outbox').select('id').where('published_at', 'is', null).execute()
const allMarked = () => waitFor(async () => (await unpublished()).length === 0, { what: 'every row to be marked as published' })

test('publishes each event once, in order, as CloudEvents', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = [...(await addEvents(3)), ...(await addEvents(2))]
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
  expect(stream.received[0]).toMatchObject({
    specversion: '1.0',
    source: 'group',
    type: group.groupCreated.subject,
    datacontenttype: 'application/json',
    correlationid: 'corr-1',
  })
})

test('a rolled back event is never published, and invalid data is refused', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const rolledBack = fixture.uow.system().write(async ({ outbox }) => {
    outbox.add(group.groupCreated, { group_id: newId(), user_id: newId() })
    throw new Error('no')
  })
  await expect(rolledBack).rejects.toThrow('no')
  await expect(
    fixture.uow.system().write(async ({ outbox }) => outbox.add(group.groupCreated, { group_id: 'x', user_id: newId() })),
  ).rejects.toThrow(/UUID/)
  const ids = await addEvents(1)
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
})

test('publishes a backlog in batches after the stream was down', async () => {
  const stream = new Stream()
  stream.away = true
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(1_200)
  stream.away = false
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
  expect(Math.max(...stream.batches)).toBeLessThanOrEqual(500)
})

test('after a reconnect to a lost store every event is published again, in order', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(7)
  await allMarked()
  stream.lose()
  await waitFor(() => stream.stored.size === 7, { what: 'the events to be published again' })
  expect(groupsOf(stream.received)).toEqual(ids)
  await allMarked()
})

test('a store that is lost without a reconnect is noticed by its numbers', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const before = await addEvents(3)
  await allMarked()
  stream.lose({ quietly: true })
  const after = await addEvents(1)
  await waitFor(() => stream.stored.size === 4, { what: 'the lost events to follow' })
  expect(new Set(groupsOf(stream.received))).toEqual(new Set([...before, ...after]))
})

test('only the last events are published again when the store lost only those', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(5)
  await allMarked()
  stream.received = []
  stream.loseAfter(3)
  await waitFor(() => stream.stored.size === 5, { what: 'the lost end' })
  expect(groupsOf(stream.received)).toEqual(ids.slice(3))
})

test('events that the store lost while no relay ran are published again at the next start', async () => {
  const stream = new Stream()
  const ids: string[] = []
  {
    await using _relay = startRelay(fixture.database, stream, options)
    ids.push(...(await addEvents(4)))
    await allMarked()
  }
  stream.lose()
  await using _again = startRelay(fixture.database, stream, options)
  await waitFor(() => stream.stored.size === 4, { what: 'the events to be published again' })
  expect(groupsOf(stream.received)).toEqual(ids)
})

test('two relays publish each event once and keep the order', async () => {
  const stream = new Stream()
  await using _left = startRelay(fixture.database, stream, options)
  await using _right = startRelay(fixture.connect().database, stream, options)
  const ids: string[] = []
  for (let i = 0; i < 20; i += 1) ids.push(...(await addEvents(10)))
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
})

test('old rows are swept, unpublished ones never', async () => {
  const { system } = fixture.database
  const [kept] = await addEvents(2)
  await sql`update outbox set created_at = now() - interval '9 days'`.execute(system)
  await sql`update outbox set published_at = now() - interval '8 days' where data->>'group_id' <> ${kept}`.execute(system)
  await sql`insert into inbox (event_id, received_at) values (gen_random_uuid(), now() - interval '9 days'), (gen_random_uuid(), now() - interval '7 days')`.execute(
    system,
  )
  await sweep(fixture.database)
  expect(
    await system
      .selectFrom('outbox')
      .select(sql<string>`data->>'group_id'`.as('id'))
      .execute(),
  ).toEqual([{ id: kept }])
  expect(await system.selectFrom('inbox').select('event_id').execute()).toHaveLength(1)
})
