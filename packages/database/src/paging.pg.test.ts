import { newId } from '@youworker/runtime/id'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { countSome, listed, type ListPage, newestFirst } from './paging.ts'
import { type Fixture, noteDatabase } from './test-fixture.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await noteDatabase()
})
afterEach(async () => {
  await fixture[Symbol.asyncDispose]()
})

const ADA = newId()

/** Every third row has the time of the one before, so that only the id orders them. */
const addJobs = (count: number) =>
  sql`insert into jobs (id, kind, user_id, space_id, payload, max_attempts, status, created_at)
    select gen_random_uuid(), 'note', ${ADA}, ${ADA}, '{}', 1, 'success', now() - make_interval(secs => n - n % 3)
    from generate_series(1, ${count}::integer) as n`.execute(fixture.database.system)

async function list(page: ListPage) {
  const { system } = fixture.database
  const jobs = system.selectFrom('jobs').where('user_id', '=', ADA)
  const rows = await newestFirst(jobs.selectAll(), { time: 'created_at', id: 'id' }, page).execute()
  const counted = await countSome(system, (limit) => jobs.select('id').limit(limit))
  return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
}

test('pages by cursor hold each row once, in the order of the whole list, also while rows are added', async () => {
  await addJobs(50)
  const whole = await list({ limit: 100, offset: 0 })
  const seen: string[] = []
  let page = await list({ limit: 7, offset: 0 })
  for (; page.next_after !== undefined; page = await list({ limit: 7, offset: 0, after: page.next_after })) {
    seen.push(...page.rows.map(({ id }) => id))
    if (seen.length === 14) await addJobs(1)
  }
  seen.push(...page.rows.map(({ id }) => id))
  expect(whole).toMatchObject({ total: 50 })
  expect(whole).not.toHaveProperty('next_after')
  expect(seen.filter((id) => whole.rows.some((row) => row.id === id))).toEqual(whole.rows.map(({ id }) => id))
})

test('the last page names no next one, also when it is full', async () => {
  await addJobs(4)
  const first = await list({ limit: 2, offset: 0 })
  expect(first.next_after).toBeDefined()
  expect(await list({ limit: 2, offset: 0, after: first.next_after })).not.toHaveProperty('next_after')
  expect(await list({ limit: 2, offset: 2 })).not.toHaveProperty('next_after')
  expect(await list({ limit: 2, offset: 1 })).toHaveProperty('next_after')
})

test('a total is exact up to 10,000, and beyond it leads offsets on to the end', async () => {
  await addJobs(10_000)
  expect(await list({ limit: 1, offset: 0 })).not.toHaveProperty('total_is_estimate')
  await addJobs(25)
  expect(await list({ limit: 1, offset: 0 })).toMatchObject({ total: 10_000, total_is_estimate: true })
  let count = 9_980
  let page = await list({ limit: 10, offset: count })
  for (; count < page.total; page = await list({ limit: 10, offset: count })) count += page.rows.length
  expect(count).toBe(10_025)
})

const cursor = (text: string) => Buffer.from(text).toString('base64url')

test.each([
  'x',
  cursor('2026-01-01T00:00:00.000000Z x'),
  cursor(`now ${ADA}`),
  // Times that Postgres does not know.
  ...['2026-02-30T00:00:00.0Z', '2026-13-01T00:00:00.0Z', '2026-01-01T24:00:00.0Z', '0000-01-01T00:00:00.0Z'].map((time) =>
    cursor(`${time} ${ADA}`),
  ),
])('the cursor %s is refused', async (after) => {
  await expect(list({ limit: 1, offset: 0, after })).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
})
