import { testUserContext } from '@youworker/messaging/requests/test-context'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, entriesOf, type Replica } from '../../test-fixture.ts'

let fixture: Awaited<ReturnType<typeof chatDatabase>>
let replica: Replica
beforeAll(async () => {
  fixture = await chatDatabase()
  replica = fixture.replica({}, { worker: false })
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

const code = (expected: string) => expect.objectContaining({ code: expected })

test('a session is found by id and by external_id, by nobody else, and external ids are unique per user', async () => {
  const { sessions, deletion } = replica.services
  const [anna, ben] = [randomUUID(), randomUUID()]
  const made = await sessions.create({ external_id: 'my chat', title: 'Schön 日本 😀' }, testUserContext(anna))
  expect(await sessions.get(anna, 'my chat')).toEqual(made)
  expect(await sessions.get(anna, made.id)).toEqual(made)
  expect(made.title).toBe('Schön 日本 😀')
  await expect(sessions.create({ external_id: 'my chat' }, testUserContext(anna))).rejects.toEqual(code('CONFLICT'))
  expect((await sessions.create({ external_id: 'my chat' }, testUserContext(ben))).id).not.toBe(made.id)
  for (const ref of [made.id, randomUUID(), 'nothing', 'with \0 in it']) {
    await expect(sessions.get(ben, ref)).rejects.toEqual(code('SESSION_NOT_FOUND'))
    await expect(sessions.messages(ben, ref)).rejects.toEqual(code('SESSION_NOT_FOUND'))
    await expect(deletion.delete({ session_id: ref, purge: true }, testUserContext(ben))).rejects.toEqual(
      code('SESSION_NOT_FOUND'),
    )
    await expect(
      replica.services.startRun.start(chat({ text_input: 'x', session_id: ref }), testUserContext(ben)),
    ).rejects.toEqual(code('SESSION_NOT_FOUND'))
  }
  const renamed = await sessions.update('my chat', { title: null, model: 'm', enable_tools: false }, testUserContext(anna))
  expect(renamed).toMatchObject({ title: null, model: 'm', enable_tools: false })
  expect(await sessions.list(anna, { limit: 10, offset: 0 })).toEqual({ sessions: [renamed], total: 1 })
})

test('a run is stored with its message, title, first entries, job and events, sealed', async () => {
  const user = randomUUID()
  const canary = 'CanaryPlaintext4711'
  const { startRun, sessions, runs } = replica.services
  const messages = [
    { role: 'system', content: `${canary} system` },
    { role: 'user', content: `${canary} first` },
    { role: 'assistant', content: `${canary} answer` },
    { role: 'user', content: `${canary} second` },
  ]
  const { run_id, session_id, session_external_id } = await startRun.start(chat({ messages }), testUserContext(user))
  const stored = await sessions.messages(user, session_id)
  expect(stored.messages.map(({ role, content }) => [role, content])).toEqual([
    ['user', `${canary} first`],
    ['assistant', `${canary} answer`],
    ['user', `${canary} second`],
  ])
  expect(await sessions.get(user, session_external_id)).toMatchObject({ title: `${canary} second`, message_count: 3 })
  expect((await entriesOf(replica, user, run_id)).map(({ n, body }) => [n, body])).toEqual([
    [1, { event: 'run', data: { run_id, session_id } }],
    [2, { event: 'status', data: { stage: 'queued', position: 0 } }],
  ])
  expect(replica.live.filter(({ runId }) => runId === run_id)).toHaveLength(2)

  // A turn in an existing session stores only the new message, and waits for the turn before it.
  const next = await startRun.start(chat({ messages, session_id }), testUserContext(user))
  expect((await sessions.messages(user, session_id)).messages).toHaveLength(4)
  expect((await entriesOf(replica, user, next.run_id))[1]?.body).toEqual({
    event: 'status',
    data: { stage: 'queued', position: 1 },
  })

  const other = randomUUID()
  for (const act of [
    () => runs.get(other, run_id),
    () => runs.stop(other, run_id),
    () => runs.entries(other, run_id, 0),
    () => runs.get(user, other),
  ]) {
    await expect(act()).rejects.toEqual(code('RUN_NOT_FOUND'))
  }
  const tables = await asAdmin<{ name: string }>(
    fixture.adminUrl,
    `select table_name as name from information_schema.tables where table_schema = 'chat_agent'`,
  )
  expect(tables.length).toBeGreaterThan(10)
  const hex = Buffer.from(canary).toString('hex')
  for (const { name } of tables) {
    const rows = await asAdmin<{ row: string }>(fixture.adminUrl, `select '${name} ' || t::text as row from chat_agent.${name} t`)
    expect(rows.filter(({ row }) => row.includes(canary) || row.includes(hex))).toEqual([])
  }
  const subjects = await asAdmin<{ subject: string; n: number }>(
    fixture.adminUrl,
    `select subject, count(*)::int as n from chat_agent.outbox where data ->> 'session_id' = '${session_id}' group by subject order by subject`,
  )
  expect(subjects.map(({ subject, n }) => `${subject.split('.').slice(3).join('.')} ${n}`)).toEqual([
    'message.created 4',
    'run.started 2',
    'session.created 1',
  ])
})

test('a turn cannot switch on tools that a PATCH switched off; tools that it switched on are optional for a turn', async () => {
  const user = randomUUID()
  const { startRun, sessions, uow } = replica.services
  /** Starts a turn. Resolves to `enable_tools` of its run, and of the session after it. */
  const turn = async (session_id: string, enable_tools: boolean) => {
    const { run_id } = await startRun.start(chat({ text_input: 'x', session_id, enable_tools }), testUserContext(user))
    const run = await uow.in([user]).read(({ runs }) => runs.find(run_id))
    return [run?.enable_tools, (await sessions.get(user, session_id)).enable_tools]
  }
  const { id } = await sessions.create({}, testUserContext(user))
  await sessions.update(id, { title: 'This pins nothing' }, testUserContext(user))
  expect(await turn(id, false)).toEqual([false, false])
  expect(await turn(id, true)).toEqual([true, true])
  await sessions.update(id, { enable_tools: false }, testUserContext(user))
  expect(await turn(id, true)).toEqual([false, false])
  await sessions.update(id, { enable_tools: true }, testUserContext(user))
  expect(await turn(id, true)).toEqual([true, true])
  expect(await turn(id, false)).toEqual([false, true])
})

test('a repeated start returns the first result and starts nothing', async () => {
  const user = randomUUID()
  const { startRun, sessions } = replica.services
  const context = testUserContext(user, { idempotencyKey: 'k1' })
  const [first, again] = await Promise.all([
    startRun.start(chat({ text_input: 'x' }), context),
    startRun.start(chat({ text_input: 'x' }), context),
  ])
  expect(again).toEqual(first)
  expect(await startRun.start(chat({ text_input: 'x' }), context)).toEqual(first)
  expect((await sessions.list(user, { limit: 10, offset: 0 })).total).toBe(1)
  await expect(startRun.start(chat({ text_input: 'y' }), context)).rejects.toEqual(code('IDEMPOTENCY_MISMATCH'))
})

test('a waiting run is cancelled at once, with one done', async () => {
  const user = randomUUID()
  const { startRun, runs, sessions } = replica.services
  const { run_id, session_id } = await startRun.start(chat({ text_input: 'x' }), testUserContext(user))
  const [stopped] = await Promise.all([runs.stop(user, run_id), runs.stop(user, run_id)])
  expect(stopped.status).toBe('cancelled')
  expect((await runs.cancelTask(user, run_id)).state).toBe('cancelled')
  const entries = await entriesOf(replica, user, run_id)
  expect(entries.map(({ n, body }) => `${n} ${body.event}`)).toEqual(['1 run', '2 status', '3 done'])
  expect(entries[2]?.body).toMatchObject({ data: { content: '', metadata: { status: 'stopped', session_id } } })
  expect((await sessions.messages(user, session_id)).messages).toHaveLength(1)
  await expect(runs.getTask(randomUUID(), run_id)).rejects.toEqual(code('TASK_NOT_FOUND'))
  expect(await runs.listTasks(user, { limit: 10, offset: 0 })).toMatchObject({
    total: 1,
    tasks: [{ id: run_id, type: 'chat', state: 'cancelled' }],
  })
})

test('a run whose process died after its job had ended gets its done', async () => {
  const user = randomUUID()
  const { startRun, runs } = replica.services
  const { run_id } = await startRun.start(chat({ text_input: 'x' }), testUserContext(user))
  await asAdmin(
    fixture.adminUrl,
    `update chat_agent.jobs set status = 'failed', error = 'gone', finished_at = now() where id = '${run_id}'`,
  )
  await runs.endOrphaned()
  expect((await entriesOf(replica, user, run_id)).at(-1)?.body).toMatchObject({
    event: 'done',
    data: { metadata: { status: 'error', error: 'gone' } },
  })
  expect(await runs.get(user, run_id)).toMatchObject({ status: 'failed', error: 'gone' })
})

test('deleting a session deletes all of its rows', async () => {
  const user = randomUUID()
  const { startRun, deletion, runs } = replica.services
  const { run_id, session_id } = await startRun.start(chat({ text_input: 'x' }), testUserContext(user))
  await deletion.delete({ session_id: session_id, purge: true }, testUserContext(user))
  await expect(runs.entries(user, run_id, 0)).rejects.toEqual(code('RUN_NOT_FOUND'))
  for (const table of ['sessions', 'messages', 'runs', 'run_entries', 'model_steps', 'tool_runs', 'jobs']) {
    const left = await asAdmin(
      fixture.adminUrl,
      `select '${table}' as table_name from chat_agent.${table} where space_id = '${user}'`,
    )
    expect(left).toEqual([])
  }
})

test('pages of messages are complete, in order and within their size', async () => {
  const user = randomUUID()
  const { startRun, sessions } = replica.services
  const long = '日'.repeat(20_000)
  const messages = Array.from({ length: 9 }, (_, turn) => ({ role: turn % 2 ? 'assistant' : 'user', content: `${turn} ${long}` }))
  const { session_id } = await startRun.start(chat({ messages: messages.slice(0, 7) }), testUserContext(user))
  const seen: string[] = []
  for (let after: string | null | undefined; after !== null;) {
    const page = await sessions.messages(user, session_id, { after })
    expect(Buffer.byteLength(JSON.stringify(page.messages))).toBeLessThanOrEqual(256 * 1024)
    seen.push(...page.messages.map(({ content }) => content))
    after = page.next
  }
  expect(seen).toEqual(messages.slice(0, 7).map(({ content }) => content))
})

test('entries of a former owner are not stored', async () => {
  const user = randomUUID()
  const { startRun, uow, runs } = replica.services
  const { run_id } = await startRun.start(chat({ text_input: 'x' }), testUserContext(user))
  const row = (attempt: number, n: number) => ({
    run_id,
    n: attempt * 1_000_000 + n,
    attempt,
    space_id: user,
    body: Buffer.from('x'),
  })
  const write = (attempt: number, n: number) => uow.in([user]).write(({ entries }) => entries.addFenced([row(attempt, n)]))
  const numbers = async () => (await uow.in([user]).read(({ entries }) => entries.page(run_id, 2, 100))).map(({ n }) => n)
  await uow.in([user]).write(({ runs: rows }) => rows.begin(run_id, 1))
  await write(1, 1)
  await uow.in([user]).write(({ runs: rows }) => rows.begin(run_id, 2))
  await write(1, 2)
  await write(2, 1)
  await write(2, 1)
  expect(await numbers()).toEqual([1_000_001, 2_000_001])
  expect((await runs.get(user, run_id)).attempt).toBe(2)

  // A new owner waits for entries that the former owner is writing at that moment.
  const started = Promise.withResolvers<void>()
  const slow = uow.in([user]).write(async ({ entries }) => {
    await entries.addFenced([row(2, 2)])
    started.resolve()
    await new Promise((resolve) => setTimeout(resolve, 200))
  })
  await started.promise
  await uow.in([user]).write(({ runs: rows }) => rows.begin(run_id, 3))
  expect(await numbers()).toContain(2_000_002)
  await slow
})
