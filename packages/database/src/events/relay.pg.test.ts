import type { EventEnvelope } from '@youworker/contracts/event-envelope'
import { group } from '@youworker/contracts/group'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EventPublisher, startRelay } from './relay.ts'
import { sweep } from './sweep.ts'
import { type Fixture, noteDatabase } from '../test-fixture.ts'

/** The outside system: a stream that numbers what it stores, drops repeats by id and can be lost. */
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

  /** The store is gone; `quietly`: without an interruption of the connection. */
  lose({ quietly = false } = {}): void {
    this.stored.clear()
    this.received = []
    this.#last = 0
    this.#created = newId()
    if (!quietly) this.#listeners.forEach((listener) => listener())
  }

  /** Everything after `seq` was not on the disk. */
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
    for (const group_id of ids) await outbox.add(group.groupCreated, { group_id, user_id: newId() }, { correlationId: 'corr-1' })
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

test('a rolled back event is never published, and a payload that does not fit is refused', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const rolledBack = fixture.uow.system().write(async ({ outbox }) => {
    await outbox.add(group.groupCreated, { group_id: newId(), user_id: newId() })
    throw new Error('no')
  })
  await expect(rolledBack).rejects.toThrow('no')
  await expect(
    fixture.uow.system().write(({ outbox }) => outbox.add(group.groupCreated, { group_id: 'x', user_id: newId() })),
  ).rejects.toThrow(/UUID/)
  const ids = await addEvents(1)
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
})

test('works off a backlog in batches, and what came while the stream was away', async () => {
  const stream = new Stream()
  stream.away = true
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(1_200)
  stream.away = false
  await allMarked()
  expect(groupsOf(stream.received)).toEqual(ids)
  expect(Math.max(...stream.batches)).toBeLessThanOrEqual(500)
})

test('a lost store gets everything again, in order, after a reconnect', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(7)
  await allMarked()
  stream.lose()
  await waitFor(() => stream.stored.size === 7, { what: 'the events to be published again' })
  expect(groupsOf(stream.received)).toEqual(ids)
  await allMarked()
})

test('a lost store is noticed by its numbers when the connection stood', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const before = await addEvents(3)
  await allMarked()
  stream.lose({ quietly: true })
  const after = await addEvents(1)
  await waitFor(() => stream.stored.size === 4, { what: 'the lost events to follow' })
  expect(new Set(groupsOf(stream.received))).toEqual(new Set([...before, ...after]))
})

test('a store that lost its end gets only that again', async () => {
  const stream = new Stream()
  await using _relay = startRelay(fixture.database, stream, options)
  const ids = await addEvents(5)
  await allMarked()
  stream.received = []
  stream.loseAfter(3)
  await waitFor(() => stream.stored.size === 5, { what: 'the lost end' })
  expect(groupsOf(stream.received)).toEqual(ids.slice(3))
})

test('what was lost while no relay ran is published at the next start', async () => {
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
  await using _right = startRelay(fixture.open().database, stream, options)
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
