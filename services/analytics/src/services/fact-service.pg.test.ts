import type { Dashboard, Whose } from '@youworker/contracts/analytics'
import { chatAgent } from '@youworker/contracts/chat-agent'
import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { ingestion } from '@youworker/contracts/ingestion'
import type { EventHandler } from '@youworker/messaging/events/events'
import { newId } from '@youworker/runtime/id'
import { expect, test } from 'vitest'
import { analyticsConsumers } from '../consumers/analytics-consumers.ts'
import { as, asRoot, daysAgo, envelope, groupStory, membersOf, openTestAnalytics, story } from '../test-fixture.ts'
import type { AnalyticsRepositories } from '../unit-of-work.ts'
import { average, rate } from './averages.ts'
import { FactService } from './fact-service.ts'

async function openFixture() {
  const analytics = await openTestAnalytics()
  const all = analyticsConsumers(new FactService(analytics.uow.system()))
  const handlers = new Map<string, EventHandler>(all.map((handler) => [handler.event.subject, handler]))
  const deliver = (event: EventEnvelope) => {
    const handler = handlers.get(event.type)
    if (!handler) throw new Error(`no consumer for ${event.type}`)
    return handler.handle(event.data, event)
  }
  return { ...analytics, deliver }
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
const FORMER = newId()
const GROUP = newId()
const CAST = { user: USER, other: OTHER, former: FORMER, group: GROUP }

/** Who reads what: their own, the group's, and the installation's. */
const READERS = [
  { whose: {}, context: as(USER) },
  { whose: { group_id: GROUP }, context: as(USER) },
  { whose: { scope: 'installation' }, context: asRoot() },
] as const satisfies readonly { whose: Whose; context: unknown }[]

interface Counted {
  readonly did: (user: unknown, at: string) => boolean
  readonly brought: (event: EventEnvelope) => boolean
}
const MEMBERS = membersOf(CAST)
const IN_GROUP: Counted = {
  did: (user, at) => MEMBERS.some(({ user_id, joined_at }) => user_id === user && joined_at <= at),
  brought: ({ data }) => data['space_id'] === GROUP,
}
const BY_USER: Counted = { did: (user) => user === USER, brought: ({ data }) => data['user_id'] === USER }
const BY_ALL: Counted = { did: () => true, brought: () => true }

/** The overview as the events themselves tell it. */
function truth(events: readonly EventEnvelope[], days: number, { did, brought }: Counted): Dashboard['overview'] {
  const of = ({ subject }: { subject: string }) => events.filter(({ type }) => type === subject)
  const lost = (event: { subject: string }, id: string) => new Set(of(event).map(({ data }) => data[id]))
  const [lostSessions, lostDocuments] = [
    lost(chatAgent.sessionDeleted, 'session_id'),
    lost(ingestion.documentDeleted, 'document_id'),
  ]
  const acts = (event: { subject: string }) =>
    of(event).filter(({ time, data }) => time >= daysAgo(days) && did(data['user_id'], time))
  const kept = (event: { subject: string }) => acts(event).filter(({ data }) => !lostSessions.has(data['session_id']))
  const latest = (event: { subject: string }, id: string) => {
    const byId = new Map(
      of(event)
        .sort((a, b) => (a.time < b.time ? -1 : 1))
        .map((each) => [each.data[id], each]),
    )
    return [...byId.values()].filter(brought)
  }
  const total = (of: readonly EventEnvelope[], field: string) => of.reduce((sum, { data }) => sum + Number(data[field]), 0)
  const [sessions, messages, toolRuns] = [
    kept(chatAgent.sessionCreated),
    kept(chatAgent.messageCreated),
    acts(chatAgent.toolRunFinished),
  ]
  const tokens = total(messages, 'tokens_in') + total(messages, 'tokens_out')
  const documents = latest(ingestion.documentIngested, 'document_id').filter(
    ({ data }) => !lostDocuments.has(data['document_id']),
  )
  const successes = toolRuns.filter(({ data }) => data['status'] === 'success')
  return {
    period_days: days,
    sessions: { total: sessions.length, avg_per_day: average(sessions.length, days) },
    messages: { total: messages.length, avg_per_session: average(messages.length, sessions.length) },
    tokens: { total: tokens, avg_per_message: average(tokens, messages.length) },
    tools: {
      total_runs: toolRuns.length,
      success_rate: rate(successes.length, toolRuns.length),
      avg_latency_ms: average(total(toolRuns, 'latency_ms'), toolRuns.length),
    },
    documents: { total: documents.length },
    ingestion: { total_runs: latest(ingestion.runFinished, 'run_id').filter(({ time }) => time >= daysAgo(days)).length },
  }
}

test('a kept answer counts as its messages, once, and as the session that it opened', async () => {
  await using analytics = await openFixture()
  const user = newId()
  const repeated = (session?: { model: string | null; enable_tools: boolean }, session_id = newId()) => {
    const messages = (['user', 'assistant'] as const).map((role) => ({ message_id: newId(), role, model: 'm' }))
    return envelope(chatAgent.answerRepeated, { run_id: newId(), user_id: user, session_id, session, messages }, 0)
  }
  const first = repeated({ model: null, enable_tools: true })
  const events = [first, repeated(undefined, String(first.data['session_id'])), repeated({ model: 'm', enable_tools: false })]
  for (const event of [...events, ...events]) await analytics.deliver(event)
  expect(await analytics.figures.overview({ days: 30 }, as(user))).toMatchObject({
    sessions: { total: 2 },
    messages: { total: 6 },
    tokens: { total: 0 },
  })
})

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
  expect(await analytics.figures.overview({ days: 30 }, as(user))).toMatchObject({
    messages: { total: 0 },
    tokens: { total: 34 },
  })
  const { data } = await analytics.figures.tokensTimeline({ days: 1, interval: 'day' }, as(user))
  expect([sum(data, 'total_tokens'), sum(data, 'message_count')]).toEqual([34, 0])
  expect(await analytics.figures.tokens({ period: 'day' }, as(user))).toMatchObject({ total_tokens: 34, message_count: 0 })
})

test('the overview counts the period and the current documents, for the caller only', async () => {
  await using analytics = await openFixture()
  for (const event of story(USER, OTHER)) await analytics.deliver(event)
  expect(await analytics.figures.overview({ days: 30 }, as(USER))).toEqual({
    period_days: 30,
    sessions: { total: 1, avg_per_day: 0 },
    messages: { total: 3, avg_per_session: 3 },
    tokens: { total: 120, avg_per_message: 40 },
    tools: { total_runs: 3, success_rate: 66.7, avg_latency_ms: 100.3 },
    documents: { total: 2 },
    ingestion: { total_runs: 1 },
  })
  expect(await analytics.figures.overview({ days: 365 }, as(USER))).toMatchObject({
    sessions: { total: 2 },
    messages: { total: 4 },
    tokens: { total: 1_130 },
  })
  expect(await analytics.figures.overview({ days: 1 }, as(OTHER))).toMatchObject({
    sessions: { total: 1, avg_per_day: 1 },
    messages: { total: 1 },
    documents: { total: 0 },
  })
  expect(await analytics.figures.overview({ days: 30 }, as(newId()))).toMatchObject({
    messages: { total: 0, avg_per_session: 0 },
    tools: { success_rate: 0, avg_latency_ms: 0 },
  })
}, 60_000)

test.each(READERS)(
  'timelines have every part of the period, and their sums are those of the overview: $whose',
  async ({ whose, context }) => {
    await using analytics = await openFixture()
    analytics.groups.set(GROUP, MEMBERS)
    for (const event of [...story(USER, OTHER), ...groupStory(CAST)]) await analytics.deliver(event)
    const { figures } = analytics
    for (const days of [1, 30, 365]) {
      const overview = await figures.overview({ ...whose, days }, context)
      for (const [interval, hours] of [
        ['hour', 1],
        ['day', 24],
        ['week', 168],
      ] as const) {
        const query = { ...whose, days, interval }
        const tokens = await figures.tokensTimeline(query, context)
        expect(tokens.interval).toBe(interval)
        const parts = tokens.data.map(({ period }) => Date.parse(period))
        expect(parts.slice(1).every((at, index) => at - (parts[index] ?? 0) === hours * 3_600_000)).toBe(true)
        expect(parts[0]).toBeLessThanOrEqual(Date.now() - days * 86_400_000)
        expect(Date.now() - (parts.at(-1) ?? 0)).toBeLessThan(hours * 3_600_000)
        expect(sum(tokens.data, 'total_tokens')).toBe(overview.tokens.total)
        expect(sum(tokens.data, 'message_count')).toBe(overview.messages.total)
        const tools = await figures.toolTimeline(query, context)
        expect(sum(tools.data, 'total_runs')).toBe(overview.tools.total_runs)
        expect(sum((await figures.toolPerformance(query, context)).data, 'total_runs')).toBe(overview.tools.total_runs)
        const { timeline: runs } = await figures.ingestionTimeline(query, context)
        expect(sum(runs, 'run_count')).toBe(overview.ingestion.total_runs)
        const { timeline: sessions, by_model } = await figures.sessionActivity(query, context)
        expect(sum(sessions, 'session_count')).toBe(overview.sessions.total)
        expect(sum(by_model, 'session_count')).toBe(overview.sessions.total)
        expect([parts.length, parts.length, parts.length]).toEqual([tools.data.length, runs.length, sessions.length])
      }
      const period = ({ 1: 'day', 30: 'month', 365: 'year' } as const)[days]
      expect((await figures.tokens({ ...whose, period: period ?? 'hour' }, context)).total_tokens).toBe(overview.tokens.total)
    }
  },
  60_000,
)

test('figures by tool, model and session, for the caller only', async () => {
  await using analytics = await openFixture()
  const events = story(USER, OTHER)
  for (const event of events) await analytics.deliver(event)
  const { figures } = analytics
  const tool = { total_runs: 3, successful_runs: 2, success_rate: 66.7, avg_latency_ms: 100.3 }
  expect(await figures.toolPerformance({ days: 30 }, as(USER))).toEqual({
    data: [{ tool_name: 'knowledge_search', ...tool, min_latency_ms: 100, max_latency_ms: 101 }],
  })
  expect(sum((await figures.toolTimeline({ days: 7, interval: 'day', tool_name: 'other' }, as(USER))).data, 'total_runs')).toBe(0)

  const month = { tokens_in: 30, tokens_out: 90, total_tokens: 120, message_count: 3 }
  expect(await figures.tokens({ period: 'month' }, as(USER))).toEqual({
    period: 'month',
    ...month,
    by_model: [{ model: 'm', ...month }],
  })
  expect(await figures.tokens({ period: 'hour' }, as(USER))).toMatchObject({ message_count: 0, by_model: [] })
  expect(await figures.tokens({ period: 'year', model: 'other' }, as(USER))).toMatchObject({ total_tokens: 0 })

  const kept = events.find(({ type }) => type === chatAgent.toolRunFinished.subject)?.data['session_id'] as string
  expect(await figures.session(kept, as(USER))).toMatchObject({
    session_id: kept,
    model: 'm',
    tokens: { tokens_in: 20, tokens_out: 50, total_tokens: 70, message_count: 2 },
    tools: tool,
  })
  await expect(figures.session(kept, as(OTHER))).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  const deleted = events.find(({ type }) => type === chatAgent.sessionDeleted.subject)?.data['session_id'] as string
  await expect(figures.session(deleted, as(USER))).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })

  const period = { days: 30, interval: 'day' } as const
  expect(await figures.dashboard(period, as(USER))).toEqual({
    overview: await figures.overview({ days: 30 }, as(USER)),
    tokens_timeline: await figures.tokensTimeline(period, as(USER)),
    tool_performance: await figures.toolPerformance({ days: 30 }, as(USER)),
    ingestion_stats: await figures.ingestionTimeline(period, as(USER)),
    session_activity: await figures.sessionActivity(period, as(USER)),
  })
  const { tokens_timeline } = await figures.dashboard(period, as(newId()))
  expect(sum(tokens_timeline.data, 'total_tokens')).toBe(0)
}, 60_000)

test('every event delivered twice, shuffled and concurrently leads to the same tables and figures, which are the truth', async () => {
  const events = [...story(USER, OTHER), ...groupStory(CAST)]
  const period = { days: 30, interval: 'day' } as const
  const read = async ({ figures, groups }: Awaited<ReturnType<typeof openFixture>>) => {
    groups.set(GROUP, MEMBERS)
    return Promise.all(READERS.map(({ whose, context }) => figures.dashboard({ ...whose, ...period }, context)))
  }
  await using once = await openFixture()
  for (const event of events) await once.deliver(event)
  const [rows, dashboards] = [await once.rows(), await read(once)]
  expect(rows.inbox).toHaveLength(events.length)
  const told = [BY_USER, IN_GROUP, BY_ALL].map((counted) => truth(events, 30, counted))
  expect(dashboards.map(({ overview }) => overview)).toEqual(told)
  expect(told.map(({ messages, documents }) => [messages.total, documents.total])).toEqual([
    [6, 3],
    [8, 3],
    [13, 7],
  ])

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    await using twice = await openFixture()
    const deliveries = shuffle([...events, ...events], seed)
    if (seed % 2 === 0) await Promise.all(deliveries.map(twice.deliver))
    else for (const event of deliveries) await twice.deliver(event)
    expect({ seed, rows: await twice.rows() }).toEqual({ seed, rows })
    expect({ seed, dashboards: await read(twice) }).toEqual({ seed, dashboards })
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

test('a unit of work without the user\u2019s space sees none of their rows, and one without the group\u2019s none of its documents', async () => {
  await using analytics = await openFixture()
  for (const event of [...story(USER, OTHER), ...groupStory(CAST)]) await analytics.deliver(event)
  const seen = (spaces: readonly string[], whose: Parameters<AnalyticsRepositories['overview']['totals']>[0]) =>
    analytics.uow.in(spaces).read(({ overview }) => overview.totals(whose, 365))
  const none = await seen([OTHER], { kind: 'user', user_id: USER })
  expect(Object.values(none).every((figure) => figure === 0)).toBe(true)
  const group = { kind: 'group', group_id: GROUP, members: MEMBERS } as const
  expect(await seen([USER, OTHER], group)).toMatchObject({ messages: 8, documents: 2, ingestion_runs: 2 })
  expect(await seen([GROUP], group)).toMatchObject({ messages: 0, documents: 3, ingestion_runs: 3 })
}, 60_000)

test('an admin reads the figures of the group, a member and a stranger do not; root reads those of the installation, nobody else', async () => {
  await using analytics = await openFixture()
  analytics.groups.set(GROUP, MEMBERS)
  const { figures } = analytics
  const ofGroup = { days: 1, interval: 'day', period: 'day', group_id: GROUP } as const
  const ofAll = { days: 1, interval: 'day', period: 'day', scope: 'installation' } as const
  const names = [
    'overview',
    'tokensTimeline',
    'tokens',
    'toolPerformance',
    'toolTimeline',
    'ingestionTimeline',
    'sessionActivity',
    'dashboard',
  ] as const
  for (const name of names) {
    await figures[name](ofGroup, as(USER))
    await expect(figures[name](ofGroup, as(OTHER))).rejects.toMatchObject({ code: 'NOT_GROUP_ADMIN' })
    for (const stranger of [as(FORMER), asRoot()])
      await expect(figures[name](ofGroup, stranger)).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
    await figures[name](ofAll, asRoot())
    await expect(figures[name](ofAll, as(USER))).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  }
  // Each caller, object and outcome once in a minute.
  const audited = await analytics.audited()
  expect([...new Set(audited)].toSorted()).toEqual([
    `allowed analytics.read group ${GROUP}`,
    'allowed analytics.read installation null',
    `denied analytics.read group ${GROUP}`,
    'denied analytics.read installation null',
  ])
}, 60_000)

test('what a deleted user brought to a group still counts for it, without them', async () => {
  await using analytics = await openFixture()
  analytics.groups.set(GROUP, MEMBERS)
  for (const event of groupStory(CAST)) await analytics.deliver(event)
  const total = async () => (await analytics.figures.overview({ days: 30, group_id: GROUP }, as(USER))).documents.total
  const before = await total()
  const facts = new FactService(analytics.uow.system())
  for (let round = 1; round <= 2; round += 1) await facts.eraseUser(FORMER)
  expect([before, await total()]).toEqual([3, 3])
  expect(JSON.stringify(await analytics.rows())).not.toContain(FORMER)
}, 60_000)

test('a document that a version without groups stored counts for its group from its next ingestion on', async () => {
  await using analytics = await openFixture()
  analytics.groups.set(GROUP, MEMBERS)
  const data = { document_id: newId(), user_id: OTHER, space_id: GROUP, bytes_size: 1, chunks: 1, replaced: true }
  const { document_id } = data
  await analytics.database.transact('*', 'write', ({ trx }) =>
    trx
      .insertInto('documents')
      .values({ document_id, space_id: OTHER, bytes_size: 1, chunks: 1, ingested_at: daysAgo(3), event_id: newId() })
      .execute(),
  )
  const totals = async () => [
    (await analytics.figures.overview({ days: 30 }, as(OTHER))).documents.total,
    (await analytics.figures.overview({ days: 30, group_id: GROUP }, as(USER))).documents.total,
  ]
  expect(await totals()).toEqual([1, 0])
  await analytics.deliver(envelope(ingestion.documentIngested, data))
  expect(await totals()).toEqual([1, 1])
}, 60_000)
