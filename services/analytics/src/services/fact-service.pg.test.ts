import { chatAgent } from '@youworker/contracts/chat-agent'
import type { EventEnvelope } from '@youworker/contracts/event-envelope'
import type { EventHandler } from '@youworker/messaging/events/events'
import { newId } from '@youworker/runtime/id'
import { expect, test } from 'vitest'
import { analyticsConsumers } from '../consumers/analytics-consumers.ts'
import { envelope, openTestAnalytics, story } from '../test-fixture.ts'
import { FactService } from './fact-service.ts'
import { OverviewService } from './overview-service.ts'

async function openFixture() {
  const analytics = await openTestAnalytics()
  const all = analyticsConsumers(new FactService(analytics.uow.system()))
  const handlers = new Map<string, EventHandler>(all.map((handler) => [handler.event.subject, handler]))
  const deliver = (event: EventEnvelope) => {
    const handler = handlers.get(event.type)
    if (!handler) throw new Error(`no consumer for ${event.type}`)
    return handler.handle(event.data, event)
  }
  return { ...analytics, deliver, overview: new OverviewService(analytics.uow) }
}

/** Seeded (mulberry32), so that a failure can be reproduced. */
function shuffle<T>(items: readonly T[], seed: number): T[] {
  let state = seed
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

const USER = newId()
const OTHER = newId()

test('the overview counts the period and the current documents, for the caller only', async () => {
  await using analytics = await openFixture()
  for (const event of story(USER, OTHER)) await analytics.deliver(event)
  expect(await analytics.overview.get(USER, 30)).toEqual({
    period_days: 30,
    sessions: { total: 1, avg_per_day: 0 },
    messages: { total: 3, avg_per_session: 3 },
    tokens: { total: 120, avg_per_message: 40 },
    tools: { total_runs: 3, success_rate: 66.7, avg_latency_ms: 100.3 },
    documents: { total: 2 },
    ingestion: { total_runs: 1 },
  })
  expect(await analytics.overview.get(USER, 365)).toMatchObject({
    sessions: { total: 2 },
    messages: { total: 4 },
    tokens: { total: 1_130 },
  })
  expect(await analytics.overview.get(OTHER, 1)).toMatchObject({
    sessions: { total: 1, avg_per_day: 1 },
    messages: { total: 1 },
    documents: { total: 0 },
  })
  expect(await analytics.overview.get(newId(), 30)).toMatchObject({
    messages: { total: 0, avg_per_session: 0 },
    tools: { success_rate: 0, avg_latency_ms: 0 },
  })
}, 60_000)

test('every event delivered twice, shuffled and concurrently leads to the same tables and the same overview', async () => {
  const events = story(USER, OTHER)
  await using once = await openFixture()
  for (const event of events) await once.deliver(event)
  const [rows, overview] = [await once.rows(), await once.overview.get(USER, 30)]
  expect(rows.inbox).toHaveLength(events.length)

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    await using twice = await openFixture()
    const deliveries = shuffle([...events, ...events], seed)
    if (seed % 2 === 0) await Promise.all(deliveries.map(twice.deliver))
    else for (const event of deliveries) await twice.deliver(event)
    expect({ seed, rows: await twice.rows() }).toEqual({ seed, rows })
    expect({ seed, overview: await twice.overview.get(USER, 30) }).toEqual({ seed, overview })
  }
}, 120_000)

test('the same facts in events with other ids (an outbox restored from a backup) change nothing', async () => {
  await using analytics = await openFixture()
  const events = story(USER, OTHER)
  for (const event of events) await analytics.deliver(event)
  const { inbox: _, ...before } = await analytics.rows()
  for (const event of shuffle(events, 7))
    if (event.type === chatAgent.messageCreated.subject) await analytics.deliver({ ...event, id: newId() })
  const { inbox: __, ...after } = await analytics.rows()
  expect(after).toEqual(before)
}, 60_000)

test('an event whose effect fails leaves no inbox row, so that a redelivery has its effect', async () => {
  await using analytics = await openFixture()
  const event = envelope(chatAgent.sessionDeleted, { session_id: newId(), user_id: USER })
  await expect(analytics.deliver({ ...event, time: 'no time' })).rejects.toThrow(Error)
  expect((await analytics.rows()).inbox).toEqual([])
  await analytics.deliver(event)
  expect((await analytics.rows()).sessions).toHaveLength(1)
}, 60_000)

test('a unit of work without the user\u2019s space sees none of their rows', async () => {
  await using analytics = await openFixture()
  for (const event of story(USER, OTHER)) await analytics.deliver(event)
  const seen = await analytics.uow.in([OTHER]).read(({ overview }) => overview.totals(USER, 365))
  expect(Object.values(seen).every((figure) => figure === 0)).toBe(true)
}, 60_000)
