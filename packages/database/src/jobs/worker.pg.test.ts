import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@youworker/contracts/errors'
import { newId } from '@youworker/runtime/id'
import { inRequest } from '@youworker/runtime/current-request'
import { silentLogger } from '@youworker/runtime/logger'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CancelRequested, type JobRow, LeaseLost, Stopping } from './jobs.ts'
import { claim, release } from './leases.ts'
import { type Fixture, noteDatabase } from '../test-fixture.ts'
import { startWorker, type Worker } from './worker.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await noteDatabase()
})
afterEach(async () => {
  await fixture[Symbol.asyncDispose]()
})

type View = Pick<Fixture, 'database' | 'uow'>
type WorkerOptions = Parameters<typeof startWorker<string>>[0]
type Run = WorkerOptions['run']

const finish = (uow: View['uow'], job: JobRow, status: 'success' | 'failed' | 'cancelled', error?: string) =>
  uow.system().write(async ({ jobs }) => {
    await jobs.fence(job.id, job.attempt)
    return jobs.finish(job.id, job.attempt, { status, error })
  })

/** A worker on the connections of `view`, which stands for one process. */
const startAt = ({ database, uow }: View, run: Run, more: Partial<WorkerOptions> = {}): Worker<string> =>
  startWorker<string>({
    database,
    uow,
    kind: 'sample',
    concurrency: 4,
    logger: silentLogger(),
    run,
    giveUp: (job, reason) => finish(uow, job, 'failed', reason),
    ...more,
  })

const add = async (extra: { user_id?: string; queue_key?: string; max_attempts?: number; owner?: string } = {}) => {
  const id = newId()
  const job = { id, kind: 'sample', user_id: newId(), space_id: newId(), payload: { n: 1 }, ...extra }
  await fixture.uow.system().write(({ jobs }) => jobs.add(job))
  return id
}
const get = async (id: string): Promise<JobRow> => {
  const job = await fixture.uow.system().read(({ jobs }) => jobs.get(id))
  if (job === undefined) throw new Error('no such job')
  return job
}
const ended = (id: string, status: string) =>
  waitFor(async () => (await get(id)).status === status, { what: `the job to be ${status}` })
/** Only of that attempt, so that the next owner keeps its lease. */
const expireLease = (id: string, attempt: number) =>
  sql`update jobs set lease_until = now() - interval '1 second' where id = ${id} and attempt = ${attempt}`.execute(
    fixture.database.system,
  )
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })

test('two workers run each job once', async () => {
  const runs: string[] = []
  const other = fixture.connect()
  const ids = await Promise.all(Array.from({ length: 40 }, () => add()))
  const run =
    (view: View): Run =>
    async (job) => {
      runs.push(job.id)
      return finish(view.uow, job, 'success')
    }
  await using _left = startAt(fixture, run(fixture))
  await using _right = startAt(other, run(other))
  for (const id of ids) await ended(id, 'success')
  expect(runs.toSorted()).toEqual(ids.toSorted())
  const job = await get(ids[0] ?? '')
  expect(job).toMatchObject({ attempt: 1, lease_owner: null, payload: { n: 1 } })
  expect(job.finished_at).not.toBeNull()
})

/** The first look for waiting jobs comes before any reservation. */
const reserved = (worker: Worker<string>) => waitFor(async () => worker.reserve(), { what: 'a slot' })

test('a job that is added under a reserved slot runs here without a claim, with what was prepared for it', async () => {
  const seen: unknown[] = []
  await using worker = startAt(fixture, async (job, { attempt, prepared }) => {
    seen.push([job.id, attempt, prepared])
    return finish(fixture.uow, job, 'success')
  })
  using slot = await reserved(worker)
  const id = await add({ owner: slot.owner })
  const job = await get(id)
  expect(job).toMatchObject({ status: 'running', attempt: 1, lease_owner: slot.owner })
  await using _other = startAt(fixture.connect(), async () => expect.fail('claimed'))
  slot.start(job, 'what it needs')
  await ended(id, 'success')
  expect(seen).toEqual([[id, 1, 'what it needs']])
})

test('reserved slots take capacity, come back unused, and are not given while other jobs may be waiting', async () => {
  const hold = Promise.withResolvers<void>()
  await using worker = startAt(
    fixture,
    async (job) => {
      await hold.promise
      return finish(fixture.uow, job, 'success')
    },
    { concurrency: 2 },
  )
  const first = await reserved(worker)
  using _second = await reserved(worker)
  expect(worker.reserve()).toBeUndefined()
  first[Symbol.dispose]()
  worker.reserve()?.[Symbol.dispose]()
  const waiting = [await add(), await add(), await add()]
  worker.nudge()
  await waitFor(async () => (await get(waiting[0] ?? '')).status === 'running', { what: 'a waiting job to be claimed' })
  // One runs, one slot is reserved: what becomes free is for those that wait.
  expect(worker.reserve()).toBeUndefined()
  hold.resolve()
  for (const id of waiting) await ended(id, 'success')
})

test('a job whose process dies behind the commit is claimed by another one when its lease has run out', async () => {
  const runs: number[] = []
  await using worker = startAt(fixture, async () => expect.fail('run by the dead one'))
  using slot = await reserved(worker)
  const id = await add({ owner: slot.owner })
  await expireLease(id, 1)
  await using _other = startAt(fixture.connect(), async (job) => {
    runs.push(job.attempt)
    return finish(fixture.uow, job, 'success')
  })
  await ended(id, 'success')
  expect(runs).toEqual([2])
})

test('a job outlives the deadline of the request that added it, and can be cancelled then', async () => {
  await using worker = startAt(fixture, async (job, { signal }) => {
    await sleep(300)
    await fixture.uow.system().write(({ jobs }) => jobs.progress(job.id, job.attempt, { current: 1, total: 2, stage: null }))
    return untilAborted(signal)
  })
  const ids: string[] = []
  // The first one begins the keeping of leases.
  for (let n = 0; n < 2; n += 1) {
    using slot = await reserved(worker)
    const id = await add({ owner: slot.owner })
    const job = await get(id)
    inRequest({ deadline: Date.now() + 100 }, () => slot.start(job, ''))
    ids.push(id)
  }
  for (const id of ids) {
    await waitFor(async () => (await get(id)).progress_current === 1, { what: 'a write behind the deadline' })
    await fixture.uow.system().write(({ jobs }) => jobs.requestCancel(id))
    await ended(id, 'cancelled')
    expect(await get(id)).toMatchObject({ attempt: 1, progress_current: 1 })
  }
})

test('a slot that is used while the process stops hands its job back', async () => {
  let woken = 0
  const worker = startAt(fixture, (_job, { signal }) => untilAborted(signal), { wakeOthers: () => (woken += 1) })
  const slot = await reserved(worker)
  const id = await add({ owner: slot.owner })
  const job = await get(id)
  const stopped = worker[Symbol.asyncDispose]()
  expect(worker.reserve()).toBeUndefined()
  slot.start(job, 'late')
  slot[Symbol.dispose]()
  await stopped
  expect(await get(id)).toMatchObject({ status: 'pending', lease_owner: null, max_attempts: job.max_attempts + 1 })
  expect(woken).toBe(1)
})

test('jobs of one queue run one at a time, oldest first, whichever worker takes them', async () => {
  const other = fixture.connect()
  const order: string[] = []
  let running = 0
  let most = 0
  const run =
    (view: View): Run =>
    async (job) => {
      running += 1
      most = Math.max(most, running)
      order.push(job.id)
      await view.database.kysely
        .selectFrom('jobs')
        .select(sql`pg_sleep(0.01)`.as('pause'))
        .limit(1)
        .execute()
      running -= 1
      return finish(view.uow, job, 'success')
    }
  const ids: string[] = []
  for (let i = 0; i < 12; i += 1) ids.push(await add({ queue_key: 'one' }))
  expect(await fixture.uow.system().read(({ jobs }) => jobs.unfinished('sample', 'one'))).toBe(12)
  await using left = startAt(fixture, run(fixture))
  await using right = startAt(other, run(other))
  const nudging = setInterval(() => [left, right].forEach((worker) => worker.nudge()), 20)
  await ended(ids.at(-1) ?? '', 'success').finally(() => clearInterval(nudging))
  expect(order).toEqual(ids)
  expect(most).toBe(1)
})

/** Sets the creation times in the order of `ids`, the first one oldest. */
const createdInOrder = async (ids: readonly string[]) => {
  for (const [n, id] of ids.entries()) {
    await sql`update jobs set created_at = now() - make_interval(secs => ${100 - n}) where id = ${id}`.execute(
      fixture.database.system,
    )
  }
}

test('across queues the oldest job goes first, and a long queue delays no other queue', async () => {
  const { system } = fixture.database
  const owner = newId()
  const take = async (limit: number) => (await claim(system, 'sample', owner, { limit })).map(({ id }) => names.get(id))
  const names = new Map<string, string>()
  const order = ['a1', 'a2', 'a3', 'b1', 'free1', 'a4', 'c1', 'b2', 'free2']
  for (const name of order.toReversed()) {
    const queue_key = name.slice(0, -1)
    names.set(await add(queue_key === 'free' ? {} : { queue_key }), name)
  }
  const idOf = (name: string) => [...names].find(([, known]) => known === name)?.[0] ?? ''
  const end = (name: string) => fixture.uow.system().write(({ jobs }) => jobs.finish(idOf(name), 1, { status: 'success' }))
  await createdInOrder(order.map(idOf))

  // Jobs that wait behind a1 do not count against the limit.
  expect(await take(2)).toEqual(['a1', 'b1'])
  expect(await take(1)).toEqual(['free1'])
  await end('a1')
  // a2 is older than c1 and free2, and b2 waits for b1.
  expect(await take(1)).toEqual(['a2'])
  expect(await take(9)).toEqual(['c1', 'free2'])
  await end('b1')
  await end('a2')
  expect(await take(9)).toEqual(['a3', 'b2'])
})

test('of one user no more run than may, also across claims and processes, and the others get what is left', async () => {
  const { system } = fixture.database
  const [many, one] = [newId(), newId()]
  for (let n = 0; n < 6; n += 1) await add({ user_id: many })
  const take = async (owner = newId()) =>
    (await claim(system, 'sample', owner, { limit: 5, each: 2 })).map(({ user_id }) => user_id)
  expect(await take()).toEqual([many, many])
  await add({ user_id: one })
  expect(await take()).toEqual([one])
  const running = await sql<{ id: string }>`select id from jobs where user_id = ${many} and status = 'running'`.execute(system)
  await fixture.uow.system().write(({ jobs }) => jobs.finish(running.rows[0]?.id ?? '', 1, { status: 'success' }))
  expect(await take()).toEqual([many])
  // What a dead process held does not count, and is taken first.
  await sql`update jobs set lease_until = now() - interval '1 second' where status = 'running'`.execute(system)
  expect((await take()).toSorted()).toEqual([many, many, one].toSorted())
})

test('a job that pauses after a failure keeps its position in its queue and delays no other queue', async () => {
  const { system } = fixture.database
  const owner = newId()
  const take = async () => (await claim(system, 'sample', owner, { limit: 9 })).map(({ id }) => id)
  const [failed, behind, other] = [
    await add({ queue_key: 'mine' }),
    await add({ queue_key: 'mine' }),
    await add({ queue_key: 'other' }),
  ]
  await createdInOrder([failed, behind, other])
  expect(await take()).toEqual([failed, other])
  await release(system, { id: failed, attempt: 1 }, { delayMs: 60_000, error: 'away', extraAttempt: false })
  const third = await add({ queue_key: 'third' })
  expect(await take()).toEqual([third])
  await sql`update jobs set run_after = now() where id = ${failed}`.execute(system)
  expect(await take()).toEqual([failed])
})

test('a worker that runs one job at a time takes the jobs of two queues in the order of creation', async () => {
  const order: string[] = []
  const ids: string[] = []
  for (const queue_key of ['long', 'long', 'long', 'short', 'long', 'short']) ids.push(await add({ queue_key }))
  await using _worker = startAt(
    fixture,
    async (job) => {
      order.push(job.id)
      return finish(fixture.uow, job, 'success')
    },
    { concurrency: 1 },
  )
  for (const id of ids) await ended(id, 'success')
  expect(order).toEqual(ids)
})

test('users take turns: one with many waiting jobs delays nobody, also not those who ask again and again', async () => {
  const { system } = fixture.database
  const [many, other, third] = [newId(), newId(), newId()]
  const names = new Map<string, string>()
  const wait = async (user_id: string, name: string) => void names.set(await add({ user_id }), name)
  const end = async (id: string) => fixture.uow.system().write(({ jobs }) => jobs.finish(id, 1, { status: 'success' }))
  const order: string[] = []
  const take = async () => {
    for (const { id } of await claim(system, 'sample', newId(), { limit: 1 })) {
      order.push(names.get(id) ?? '')
      await end(id)
    }
  }
  for (let n = 1; n <= 6; n += 1) await wait(many, `many ${n}`)
  await wait(other, 'other 1')
  await wait(other, 'other 2')
  await take()
  await take()
  // Who comes again does not pass those who wait.
  await wait(third, 'third 1')
  await take()
  await take()
  await take()
  await wait(third, 'third 2')
  for (let n = 0; n < 5; n += 1) await take()
  const turns = ['many 1, other 1', 'many 2, other 2, third 1', 'many 3, third 2', 'many 4', 'many 5', 'many 6']
  expect(order.join(', ')).toBe(turns.join(', '))
})

test('a worker takes a few jobs however little memory there is, and more only when there is room', async () => {
  const hold = Promise.withResolvers<void>()
  let hasRoom = false
  await using worker = startAt(
    fixture,
    async (job) => {
      await hold.promise
      return finish(fixture.uow, job, 'success')
    },
    { concurrency: 100, hasRoom: () => hasRoom },
  )
  const ids = await Promise.all(Array.from({ length: 70 }, () => add()))
  const running = async () => {
    const rows = await Promise.all(ids.map(get))
    return rows.filter(({ status }) => status === 'running').length
  }
  await waitFor(async () => (await running()) > 0, { what: 'the first jobs' })
  const few = await running()
  worker.nudge()
  await sleep(300)
  expect(await running()).toBe(few)
  expect(few).toBeLessThan(60)
  hasRoom = true
  worker.nudge()
  await waitFor(async () => (await running()) === 70, { what: 'all jobs to run' })
  hold.resolve()
  for (const id of ids) await ended(id, 'success')
})

test('an older job that is committed late does not run beside a younger one of its queue', async () => {
  const { system } = fixture.database
  const [younger, older] = [await add({ queue_key: 'late' }), newId()]
  expect(await claim(system, 'sample', newId(), { limit: 5 })).toMatchObject([{ id: younger }])
  await sql`insert into jobs (id, kind, user_id, space_id, payload, max_attempts, queue_key, created_at)
    values (${older}, 'sample', ${newId()}, ${newId()}, '{}', 5, 'late', now() - interval '1 hour')`.execute(system)
  expect(await claim(system, 'sample', newId(), { limit: 5 })).toEqual([])
  const both = sql`update jobs set status = 'running' where id = ${older}`.execute(system)
  await expect(both).rejects.toMatchObject({ cause: { constraint: 'jobs_one_running_per_queue' } })
})

test('a job whose lease ran out is taken over under a higher attempt number, and the old owner is fenced off', async () => {
  const other = fixture.connect()
  const abandoned = Promise.withResolvers<void>()
  const firstOwner = Promise.withResolvers<{ job: JobRow; signal: AbortSignal }>()
  const first: Run = async (job, { signal }) => {
    firstOwner.resolve({ job, signal })
    await abandoned.promise
    return untilAborted(signal)
  }
  // Concurrency 1, so that it cannot take over its own job.
  await using _left = startAt(fixture, first, { concurrency: 1 })
  const id = await add()
  const { job: old, signal } = await firstOwner.promise
  const second = Promise.withResolvers<JobRow>()
  const secondMayEnd = Promise.withResolvers<void>()
  await using right = startAt(other, async (job) => {
    second.resolve(job)
    await secondMayEnd.promise
    return finish(other.uow, job, 'success')
  })
  // Like a process that was frozen: its lease has run out without its noticing.
  await waitFor(
    async () => {
      await expireLease(id, old.attempt)
      right.nudge()
      return (await get(id)).attempt === 2
    },
    { what: 'the takeover' },
  )
  expect((await second.promise).attempt).toBe(2)
  await expect(fixture.uow.system().write(({ jobs }) => jobs.fence(old.id, old.attempt))).rejects.toBeInstanceOf(LeaseLost)
  await expect(
    fixture.uow.system().write(({ jobs }) => jobs.progress(old.id, old.attempt, { current: 1, total: 2, stage: 'x' })),
  ).rejects.toBeInstanceOf(LeaseLost)
  await expect(finish(fixture.uow, old, 'failed')).rejects.toBeInstanceOf(LeaseLost)
  await waitFor(() => signal.aborted, { what: 'the old owner to be aborted' })
  expect(signal.reason).toBeInstanceOf(LeaseLost)
  secondMayEnd.resolve()
  await ended(id, 'success')
  abandoned.resolve()
})

test('a heartbeat keeps the lease of a long job', async () => {
  const stop = Promise.withResolvers<void>()
  await using _worker = startAt(fixture, async (job) => {
    await stop.promise
    return finish(fixture.uow, job, 'success')
  })
  const id = await add()
  await waitFor(async () => (await get(id)).status === 'running', { what: 'the start' })
  const { lease_until: before } = await get(id)
  await waitFor(async () => ((await get(id)).lease_until ?? '') > (before ?? ''), { what: 'a heartbeat' })
  stop.resolve()
  await ended(id, 'success')
  expect((await get(id)).attempt).toBe(1)
})

test('a waiting job is cancelled at once, a running one is aborted', async () => {
  const reasons: unknown[] = []
  await using worker = startAt(
    fixture,
    (_job, { signal }) =>
      untilAborted(signal).catch((reason: unknown) => {
        reasons.push(reason)
        throw reason
      }),
    { concurrency: 1 },
  )
  const running = await add()
  await waitFor(async () => (await get(running)).status === 'running', { what: 'the start' })
  const waiting = await add()
  const cancel = (id: string) => fixture.uow.system().write(({ jobs }) => jobs.requestCancel(id))
  expect(await cancel(waiting)).toMatchObject({ status: 'cancelled' })
  expect(await cancel(running)).toMatchObject({ status: 'running' })
  worker.nudge()
  await ended(running, 'cancelled')
  expect(reasons).toEqual([expect.any(CancelRequested)])
  expect(await cancel(running)).toMatchObject({ status: 'cancelled' })
  expect(await cancel(newId())).toBeUndefined()
})

test('a cancelled job whose owner died is ended by the next owner', async () => {
  const id = await add()
  await sql`update jobs set status = 'running', attempt = 1, lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second',
    cancel_requested_at = now() where id = ${id}`.execute(fixture.database.system)
  await using _worker = startAt(fixture, (_job, { signal }) => untilAborted(signal))
  await ended(id, 'cancelled')
  expect((await get(id)).attempt).toBe(2)
})

test('a failing job is retried, then failed with the reason; it can be redriven', async () => {
  let fail = true
  const attempts: number[] = []
  await using worker = startAt(fixture, async (job, { attempt }) => {
    attempts.push(attempt)
    if (fail) throw new AppError('SERVICE_UNAVAILABLE', `the ${attempt}. try failed`)
    return finish(fixture.uow, job, 'success')
  })
  const skipPause = () =>
    sql`update jobs set run_after = now() where status = 'pending'`.execute(fixture.database.system).then(() => worker.nudge())
  const id = await add({ max_attempts: 3 })
  await waitFor(async () => (await skipPause(), (await get(id)).status === 'failed'), { what: 'the end' })
  expect(attempts).toEqual([1, 2, 3])
  expect((await get(id)).error).toBe('the 3. try failed')
  fail = false
  await fixture.uow.system().write(({ jobs }) => jobs.redrive(id))
  worker.nudge()
  await ended(id, 'success')
  expect(attempts).toEqual([1, 2, 3, 4])
  expect(await get(id)).toMatchObject({ error: null })
})

test('what users read of an unexpected error tells nothing of addresses or rows', async () => {
  await using _worker = startAt(fixture, async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.7:5432', { cause: new Error('row 7 of ada') })
  })
  const id = await add({ max_attempts: 1 })
  await ended(id, 'failed')
  expect((await get(id)).error).toBe('something went wrong inside; whoever runs this system finds it in the log')
})

test('a 4xx error fails the job at once', async () => {
  await using _worker = startAt(fixture, async () => {
    throw new AppError('DOCUMENT_NOT_FOUND', 'The document is gone')
  })
  const bad = await add()
  await ended(bad, 'failed')
  expect(await get(bad)).toMatchObject({ attempt: 1, error: 'The document is gone' })
})

test('a job whose last attempt was interrupted is failed and not run again', async () => {
  const id = await add({ max_attempts: 1 })
  await sql`update jobs set status = 'running', attempt = 1, lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second' where id = ${id}`.execute(
    fixture.database.system,
  )
  await using _worker = startAt(fixture, async () => expect.fail('run again'))
  await ended(id, 'failed')
  expect(await get(id)).toMatchObject({ attempt: 2, error: 'it was interrupted too often' })
})

test('a stopping worker releases its job, and another one runs it', async () => {
  const other = fixture.connect()
  let reason: unknown
  const worker = startAt(fixture, (_job, { signal }) =>
    untilAborted(signal).catch((aborted: unknown) => {
      reason = aborted
      throw aborted
    }),
  )
  const id = await add({ max_attempts: 1 })
  await waitFor(async () => (await get(id)).status === 'running', { what: 'the start' })
  await worker[Symbol.asyncDispose]()
  expect(reason).toBeInstanceOf(Stopping)
  expect(await get(id)).toMatchObject({ status: 'pending', attempt: 1, lease_owner: null })
  await using _next = startAt(other, (job) => finish(other.uow, job, 'success'))
  await ended(id, 'success')
  expect((await get(id)).attempt).toBe(2)
})

test('a draining worker ends what it has and takes no more; what it hands back at last is announced', async () => {
  const first = await add()
  const gates = new Map([[first, Promise.withResolvers<void>()]])
  let announced = 0
  const run: Run = async (job, { signal }) => {
    await Promise.race([gates.get(job.id)?.promise ?? untilAborted(signal), untilAborted(signal)])
    return finish(fixture.uow, job, 'success')
  }
  const draining = startAt(fixture, run, { wakeOthers: () => (announced += 1) })
  await ended(first, 'running')
  const drained = draining.drain()
  gates.get(first)?.resolve()
  await drained
  expect((await get(first)).status).toBe('success')
  const later = await add()
  draining.nudge()
  // Long enough for a worker that still takes jobs.
  await sleep(500)
  expect((await get(later)).status).toBe('pending')
  await draining[Symbol.asyncDispose]()
  expect(announced).toBe(0)

  const stopping = startAt(fixture, run, { wakeOthers: () => (announced += 1) })
  await ended(later, 'running')
  await stopping[Symbol.asyncDispose]()
  expect([announced, (await get(later)).status]).toEqual([1, 'pending'])
})

test('lists are newest first and have the total', async () => {
  const user_id = newId()
  const ids: string[] = []
  for (let i = 0; i < 5; i += 1) {
    const id = newId()
    await fixture.uow
      .system()
      .write(({ jobs }) => jobs.add({ id, kind: i === 0 ? 'other' : 'sample', user_id, space_id: newId(), payload: {} }))
    ids.unshift(id)
  }
  const list = (page: { kinds?: string[]; limit: number; offset: number }) =>
    fixture.uow.system().read(({ jobs }) => jobs.list({ user_id, ...page }))
  const page = await list({ limit: 2, offset: 1 })
  expect(page).toMatchObject({ total: 5, rows: [{ id: ids[1] }, { id: ids[2] }] })
  expect((await list({ kinds: ['sample'], limit: 10, offset: 0 })).total).toBe(4)
  await expect(fixture.uow.system().write(({ jobs }) => jobs.redrive(ids[0] ?? ''))).rejects.toMatchObject({ code: 'CONFLICT' })
})
