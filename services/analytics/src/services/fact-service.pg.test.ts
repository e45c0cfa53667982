import { chatAgent } from '@youworker/contracts/chat-agent'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import type { EventHandler } from '@youworker/messaging/events/events'
import { newId } from '@youworker/runtime/id'
import { expect, test } from 'vitest'
import { analyticsConsumers } from '../consumers/analytics-consumers.ts'
import { envelope, openTestAnalytics, story } from '../test-fixture.ts'
import { FactService } from './fact-service.ts'
import { FigureService } from './figure-service.ts'

async function openFixture() {
  const analytics = await openTestAnalytics()
  const all = analyticsConsumers(new FactService(analytics.uow.system()))
  const handlers = new Map<string, EventHandler>(all.map((handler) => [handler.event.subject, handler]))
  const deliver = (event: EventEnvelope) => {
    const handler = handlers.get(event.type)
    if (!handler) throw new Error(`no consumer for ${event.type}`)
    return handler.handle(event.data, event)
  }
  return { ...analytics, deliver, figures: new FigureService(analytics.uow) }
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

const sum = <K extends string>(rows: readonly Readonly<Record<K, number>>[], field: K): number =>
  rows.reduce((total, row) => total + row[field], 0)

const USER = newId()
const OTHER = newId()

test('the tokens of a run that ended without a message count, once, and are no message', async () => {
  await using analytics = await openFixture()
  const user = newId()
  const session_id = newId()
  const run = { session_id, grant_id: newId(), user_id: user, model: 'm', tokens_in: 30, tokens_out: 4, duration_ms: 1 }
  const failed = { ...run, run_id: newId(), status: 'failed', answer_id: null } as const
  const answered = { ...run, run_id: newId(), status: 'success', answer_id: newId() } as const
  const events = [
    envelope(chatAgent.sessionCreated, { session_id, user_id: user, model: 'm', enable_tools: true }, 0),
    envelope(chatAgent.runFinished, failed, 0),
    envelope(chatAgent.runFinished, answered, 0),
    envelope(chatAgent.runFinished, { ...failed, run_id: newId(), tokens_in: 0, tokens_out: 0 }, 0),
  ]
  for (const event of [...events, ...events]) await analytics.deliver(event)
  expect(await analytics.figures.overview(user, 30)).toMatchObject({ messages: { total: 0 }, tokens: { total: 34 } })
  const { data } = await analytics.figures.tokensTimeline(user, { days: 1, interval: 'day' })
  expect([sum(data, 'total_tokens'), sum(data, 'message_count')]).toEqual([34, 0])
  expect(await analytics.figures.tokens(user, { period: 'day' })).toMatchObject({ total_tokens: 34, message_count: 0 })
})

test('the overview counts the period and the current documents, for the caller only', async () => {
  await using analytics = await openFixture()
  for (const event of story(USER, OTHER)) await analytics.deliver(event)
  expect(await analytics.figures.overview(USER, 30)).toEqual({
    period_days: 30,
    sessions: { total: 1, avg_per_day: 0 },
    messages: { total: 3, avg_per_session: 3 },
    tokens: { total: 120, avg_per_message: 40 },
    tools: { total_runs: 3, success_rate: 66.7, avg_latency_ms: 100.3 },
    documents: { total: 2 },
    ingestion: { total_runs: 1 },
  })
  expect(await analytics.figures.overview(USER, 365)).toMatchObject({
    sessions: { total: 2 },
    messages: { total: 4 },
    tokens: { total: 1_130 },
  })
  expect(await analytics.figures.overview(OTHER, 1)).toMatchObject({
    sessions: { total: 1, avg_per_day: 1 },
    messages: { total: 1 },
    documents: { total: 0 },
  })
  expect(await analytics.figures.overview(newId(), 30)).toMatchObject({
    messages: { total: 0, avg_per_session: 0 },
    tools: { success_rate: 0, avg_latency_ms: 0 },
  })
}, 60_000)

test('timelines have every part of the period, and their sums are those of the overview', async () => {
  await using analytics = await openFixture()
  for (const event of story(USER, OTHER)) await analytics.deliver(event)
  const { figures } = analytics
  for (const days of [1, 30, 365]) {
    const overview = await figures.overview(USER, days)
    for (const [interval, hours] of [
      ['hour', 1],
      ['day', 24],
      ['week', 168],
    ] as const) {
      const tokens = await figures.tokensTimeline(USER, { days, interval })
      expect(tokens.interval).toBe(interval)
      const parts = tokens.data.map(({ period }) => Date.parse(period))
      expect(parts.slice(1).every((at, index) => at - (parts[index] ?? 0) === hours * 3_600_000)).toBe(true)
      expect(parts[0]).toBeLessThanOrEqual(Date.now() - days * 86_400_000)
      expect(Date.now() - (parts.at(-1) ?? 0)).toBeLessThan(hours * 3_600_000)
      expect(sum(tokens.data, 'total_tokens')).toBe(overview.tokens.total)
      expect(sum(tokens.data, 'message_count')).toBe(overview.messages.total)
      const tools = await figures.toolTimeline(USER, { days, interval })
      expect(sum(tools.data, 'total_runs')).toBe(overview.tools.total_runs)
      const { timeline: runs } = await figures.ingestionTimeline(USER, { days, interval })
      expect(sum(runs, 'run_count')).toBe(overview.ingestion.total_runs)
      const { timeline: sessions, by_model } = await figures.sessionActivity(USER, { days, interval })
      expect(sum(sessions, 'session_count')).toBe(overview.sessions.total)
      expect(sum(by_model, 'session_count')).toBe(overview.sessions.total)
      expect([parts.length, parts.length, parts.length]).toEqual([tools.data.length, runs.length, sessions.length])
    }
  }
}, 60_000)

test('figures by tool, model and session, for the caller only', async () => {
  await using analytics = await openFixture()
  const events = story(USER, OTHER)
  for (const event of events) await analytics.deliver(event)
  const { figures } = analytics
  const tool = { total_runs: 3, successful_runs: 2, success_rate: 66.7, avg_latency_ms: 100.3 }
  expect(await figures.toolPerformance(USER, 30)).toEqual({
    data: [{ tool_name: 'knowledge_search', ...tool, min_latency_ms: 100, max_latency_ms: 101 }],
  })
  expect(sum((await figures.toolTimeline(USER, { days: 7, interval: 'day', tool_name: 'other' })).data, 'total_runs')).toBe(0)

  const month = { tokens_in: 30, tokens_out: 90, total_tokens: 120, message_count: 3 }
  expect(await figures.tokens(USER, { period: 'month' })).toEqual({
    period: 'month',
    ...month,
    by_model: [{ model: 'm', ...month }],
  })
  expect(await figures.tokens(USER, { period: 'hour' })).toMatchObject({ message_count: 0, by_model: [] })
  expect(await figures.tokens(USER, { period: 'year', model: 'other' })).toMatchObject({ total_tokens: 0 })

  const kept = events.find(({ type }) => type === chatAgent.toolRunFinished.subject)?.data['session_id'] as string
  expect(await figures.session(USER, kept)).toMatchObject({
    session_id: kept,
    model: 'm',
    tokens: { tokens_in: 20, tokens_out: 50, total_tokens: 70, message_count: 2 },
    tools: tool,
  })
  await expect(figures.session(OTHER, kept)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  const deleted = events.find(({ type }) => type === chatAgent.sessionDeleted.subject)?.data['session_id'] as string
  await expect(figures.session(USER, deleted)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })

  const period = { days: 30, interval: 'day' } as const
  expect(await figures.dashboard(USER, period)).toEqual({
    overview: await figures.overview(USER, 30),
    tokens_timeline: await figures.tokensTimeline(USER, period),
    tool_performance: await figures.toolPerformance(USER, 30),
    ingestion_stats: await figures.ingestionTimeline(USER, period),
    session_activity: await figures.sessionActivity(USER, period),
  })
  const { tokens_timeline } = await figures.dashboard(newId(), period)
  expect(sum(tokens_timeline.data, 'total_tokens')).toBe(0)
}, 60_000)

test('every event delivered twice, shuffled and concurrently leads to the same tables and the same overview', async () => {
  const events = story(USER, OTHER)
  await using once = await openFixture()
  for (const event of events) await once.deliver(event)
  const period = { days: 30, interval: 'day' } as const
  const [rows, dashboard] = [await once.rows(), await once.figures.dashboard(USER, period)]
  expect(rows.inbox).toHaveLength(events.length)

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    await using twice = await openFixture()
    const deliveries = shuffle([...events, ...events], seed)
    if (seed % 2 === 0) await Promise.all(deliveries.map(twice.deliver))
    else for (const event of deliveries) await twice.deliver(event)
    expect({ seed, rows: await twice.rows() }).toEqual({ seed, rows })
    expect({ seed, dashboard: await twice.figures.dashboard(USER, period) }).toEqual({ seed, dashboard })
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
