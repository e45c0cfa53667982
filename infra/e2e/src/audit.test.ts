import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { group } from '@youworker/contracts/group'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person } from './support/person.ts'
import { RawNats } from './support/raw-nats.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const run = promisify(execFile)
const CLI = join(import.meta.dirname, '../../cli/src/main.ts')
const AUDIT_KEY = '1:mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM'

const stack = new AsyncDisposableStack()
let system: TestSystem
let root: Person
let ada: Person
let database: pg.Client
let dir: string
beforeAll(async () => {
  system = stack.use(await startTestSystem({ env: { SECURITY__AUDIT_KEY: AUDIT_KEY } }))
  root = system.root
  ada = await system.newPerson('ada')
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  stack.defer(() => database.end())
  dir = await mkdtemp(join(tmpdir(), 'youworker-audit-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
}, 120_000)
afterAll(() => stack.disposeAsync())

const list = async (query = '') => (await root.get(`/v1/admin/audit${query}`)).body
const untilListed = (query: string, count: number) =>
  waitFor(
    async () => {
      const { entries } = await list(query)
      return entries.length >= count ? entries : undefined
    },
    { what: `${count} entries of ${query}` },
  )

async function verifyByCommand(args: readonly string[] = [], more: Record<string, string> = {}) {
  const env = { ...process.env, DATABASE__ADMIN_URL: system.running.adminUrl, SECURITY__AUDIT_KEY: AUDIT_KEY, ...more }
  const done = run(process.execPath, [CLI, 'audit', 'verify', ...args], { env })
  return done.then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, output: error.stdout + error.stderr }),
  )
}
const withNats = () => ({ NATS__ADMIN_URL: system.running.natsAdminUrl })

/** As the owner of the database does it. */
async function tamper(...statements: string[]): Promise<void> {
  const switched = (how: string) =>
    ['audit_entries', 'audit_head'].map((table) => `alter table auth.${table} ${how} trigger all;`).join('')
  await database.query(`begin; ${switched('disable')} ${statements.join(';')}; ${switched('enable')} commit`)
}

test('whoever has the NATS password of one service cannot write in the name of another one, nor at another time', async () => {
  await using nats = await RawNats.connect(system.running.natsUrlOf('group'))
  const target_id = newId()
  const data = {
    actor_id: newId(),
    action: 'group.delete',
    outcome: 'allowed',
    target_type: 'group',
    target_id,
    correlation_id: 'c',
  }
  const envelope = {
    specversion: '1.0',
    id: newId(),
    source: 'auth',
    type: group.auditRecorded.subject,
    time: '2020-02-02T02:02:02Z',
    datacontenttype: 'application/json',
    data,
  }
  const publish = (event: object) => nats.core.publish(group.auditRecorded.subject, JSON.stringify(event))
  const before = Date.now()
  publish(envelope)
  const [entry] = await untilListed(`?target_id=${target_id}`, 1)
  expect(entry).toMatchObject({ source: 'group', id: envelope.id, claimed_at: '2020-02-02T02:02:02.000000Z' })
  expect(Math.abs(Date.parse(entry.occurred_at) - before)).toBeLessThan(300_000)

  // Again, with the inbox already swept, and with an envelope that names the subject of auth.
  await database.query('delete from auth.inbox')
  publish(envelope)
  publish({ ...envelope, id: newId(), type: 'events.auth.v1.audit.recorded', data: { ...data, target_id: newId() } })
  publish({ ...envelope, id: newId(), data: { ...data, action: 'last' } })
  await waitFor(async () => (await list('?action=last')).entries.length === 1, { what: 'the last event' })
  expect((await list(`?target_id=${target_id}`)).entries).toHaveLength(2)
  await waitFor(async () => (await database.query('select from auth.dead_letters')).rowCount === 1, { what: 'the forged type' })
  // The administrator sends it again, and with it what somebody wrote into the table of a service that consumes no such event.
  await database.query('insert into analytics.dead_letters (envelope, reason) values ($1, $2)', [
    JSON.stringify({ ...envelope, id: newId(), type: 'events.auth.v1.audit.recorded' }),
    'Postgres was away',
  ])
  const env = { ...process.env, DATABASE__ADMIN_URL: system.running.adminUrl, ...withNats() }
  const { stdout } = await run(process.execPath, [CLI, 'events', 'dead-letters', 'redrive', 'all'], { env })
  expect(stdout).toContain('analytics does not consume')
  const sources = () =>
    list('?action=group.delete').then(({ entries }) => entries.map(({ source }: { source: string }) => source))
  await waitFor(async () => (await sources()).length === 2, { what: 'the event that was sent again' })
  expect(await sources()).toEqual(['group', 'group'])
  await database.query('delete from analytics.dead_letters')
})

test('root reads the trail with filters, page by page; others may not, which is recorded', async () => {
  for (let n = 0; n < 5; n += 1) await ada.post('/v1/groups', { name: `Group ${n}` })
  const all = await untilListed(`?actor_id=${ada.id}&action=group.create`, 5)
  expect(all.map(({ seq }: { seq: number }) => seq)).toEqual(
    all.map(({ seq }: { seq: number }) => seq).toSorted((a: number, b: number) => b - a),
  )

  const seen: number[] = []
  for (let page = await list(`?actor_id=${ada.id}&action=group.create&limit=2`); ;) {
    seen.push(...page.entries.map(({ seq }: { seq: number }) => seq))
    if (page.next === null) break
    page = await list(`?actor_id=${ada.id}&action=group.create&limit=2&before=${page.next}`)
  }
  expect(seen).toEqual(all.map(({ seq }: { seq: number }) => seq))

  const { occurred_at, target_id } = all[2]
  const encoded = encodeURIComponent(occurred_at)
  expect((await list(`?from=${encoded}&action=group.create&actor_id=${ada.id}`)).entries).toHaveLength(3)
  expect((await list(`?to=${encoded}&action=group.create&actor_id=${ada.id}`)).entries).toHaveLength(2)
  expect((await list(`?target_type=group&target_id=${target_id}`)).entries).toHaveLength(1)
  expect((await list('?source=group&outcome=denied')).entries).toEqual([])
  expect((await list('?source=group&limit=200')).entries.length).toBeGreaterThanOrEqual(5)

  for (const path of ['/v1/admin/audit', '/v1/admin/audit/verify']) expect((await ada.get(path)).status).toBe(403)
  const [refused, ...more] = await untilListed(`?actor_id=${ada.id}&outcome=denied`, 1)
  expect([refused.action, refused.target_type]).toEqual(['audit.read', 'audit_trail'])
  // One in a minute, which may have ended between the two.
  expect(more.length).toBeLessThanOrEqual(1)
  expect((await untilListed('?action=audit.read&outcome=allowed', 1)).length).toBeLessThanOrEqual(3)
  for (const bad of ['?limit=201', '?limit=0', '?before=0', '?from=yesterday', '?actor_id=ada', '?outcome=maybe'])
    expect((await root.get(`/v1/admin/audit${bad}`)).status, bad).toBe(400)
  for (const bad of ['?after=5', '?after=0:00', `?after=1:${'x'.repeat(64)}`])
    expect((await root.get(`/v1/admin/audit/verify${bad}`)).status, bad).toBe(400)
})

const acts = (entries: { action: string; target_id: string }[]) =>
  entries.map(({ action, target_id }) => `${action} ${target_id}`)

test('changed and deleted conversations and documents are recorded', async () => {
  const { id } = (await ada.post('/v1/sessions', { title: 'One' })).body
  const session_id = (await ada.get(`/v1/sessions/${(await ada.get('/v1/sessions')).body.sessions[0].id}`)).body.session.id
  expect(id ?? session_id).toBe(session_id)
  await ada.call('PATCH', `/v1/sessions/${session_id}`, { title: 'Two', enable_tools: false })
  expect((await ada.call('DELETE', `/v1/sessions/${session_id}`)).status).toBe(204)
  const { document_id } = (await ada.upload([{ name: 'a.md', content: '# A\n\nText.' }])).body.files[0]
  expect((await ada.call('DELETE', `/v1/documents/${document_id}`)).status).toBe(204)
  expect(acts(await untilListed(`?target_id=${session_id}&outcome=allowed`, 2))).toEqual([
    `session.delete ${session_id}`,
    `session.update ${session_id}`,
  ])
  expect(acts(await untilListed(`?target_id=${document_id}`, 1))).toEqual([`document.delete ${document_id}`])
})

test('access to foreign ids is recorded once per caller, object and minute, whatever the way, and a flood stays small', async () => {
  const eve = await system.newPerson('eve')
  const { document_id } = (await ada.upload([{ name: 'b.md', content: '# B\n\nText.' }])).body.files[0]
  const group_id = (await ada.post('/v1/groups', { name: 'Closed' })).body.id
  const { runId, sessionId } = await ada.chat('Hello')
  const attempts: [string, string, unknown?][] = [
    ['GET', `/v1/documents/${document_id}`],
    ['GET', `/v1/documents/${document_id}/content`],
    ['DELETE', `/v1/documents/${document_id}`],
    ['GET', `/v1/groups/${group_id}`],
    ['DELETE', `/v1/groups/${group_id}`],
    ['POST', '/v1/search', { query: 'x', group_id }],
    ['GET', `/v1/sessions/${sessionId}`],
    ['POST', '/v1/chat', { text_input: 'x', session_id: sessionId }],
    ['GET', `/v1/runs/${runId}`],
    ['GET', `/v1/runs/${runId}/events`],
    ['GET', `/v1/tasks/${runId}`],
    ['POST', `/v1/tasks/${runId}/cancel`],
    ['GET', '/v1/sessions/a name of my own that is not there'],
  ]
  for (const [method, path, body] of [...attempts, ...attempts])
    expect((await eve.call(method, path, body)).status, path).toBe(404)
  // The group is foreign to two services, and each says so once.
  const wanted = [
    `document ${document_id}`,
    `group ${group_id}`,
    `group ${group_id}`,
    `run ${runId}`,
    `session ${sessionId}`,
    `task ${runId}`,
  ]
  const denied = async () =>
    (await list(`?actor_id=${eve.id}&outcome=denied&limit=200`)).entries as {
      target_type: string
      target_id: string
      source: string
    }[]
  await waitFor(async () => (await denied()).length >= wanted.length, { what: 'the denied accesses' })
  expect((await denied()).map(({ target_type, target_id }) => `${target_type} ${target_id}`).toSorted()).toEqual(
    wanted.toSorted(),
  )
  expect((await list(`?target_id=${runId}&source=gateway`)).entries).toHaveLength(1)

  // She knows no id at all, and tries many: 30 in one minute, so 60 if a minute ended meanwhile.
  const mallory = await system.newPerson('mallory')
  for (let n = 0; n < 90; n += 1) await mallory.get(`/v1/documents/${newId()}`)
  await untilListed(`?actor_id=${mallory.id}&limit=200`, 30)
  await ada.call('DELETE', `/v1/documents/${document_id}`)
  await untilListed(`?target_id=${document_id}&action=document.delete&outcome=allowed`, 1)
  expect((await list(`?actor_id=${mallory.id}&limit=200`)).entries.length).toBeLessThanOrEqual(60)
  // A task that is one's own is asked of a service that does not know it: no denial.
  await ada.get(`/v1/tasks/${runId}`)
  expect((await list(`?actor_id=${ada.id}&target_id=${runId}&outcome=denied`)).entries).toEqual([])
})

test('an entry tells from which address and client the act was asked for; text that came with it is bounded and plain', async () => {
  const client = { 'user-agent': `Ünsure/1 \u0009 <b> ${'x'.repeat(400)}`, 'x-forwarded-for': '203.0.113.9' }
  const group_id = (await ada.post('/v1/groups', { name: 'From somewhere' }, client)).body.id
  const [created] = await untilListed(`?target_id=${group_id}`, 1)
  // Nobody trusts this proxy.
  expect(created).toMatchObject({ address: '127.0.0.1', user_agent: expect.stringMatching(/^\?nsure\/1 <b> x+$/) })
  expect(created.user_agent).toHaveLength(256)
  const eva = await system.newPerson('eva')
  await eva.call('GET', `/v1/groups/${group_id}`, undefined, { 'user-agent': 'eva/1' })
  for (const entry of await untilListed(`?actor_id=${eva.id}&outcome=denied`, 1))
    expect(entry).toMatchObject({ address: '127.0.0.1', user_agent: 'eva/1' })
  // What the system does by itself comes from nowhere.
  expect((await untilListed('?action=audit.begin', 1))[0]).toMatchObject({ address: null, user_agent: null })
  expect((await root.get('/v1/admin/audit/verify')).body).toMatchObject({ status: 'intact' })
})

test('a limited key at a route that it does not open is recorded, once per route and minute', async () => {
  const made = await ada.post('/v1/account/api-keys', { name: 'reader', scopes: ['documents:read'] })
  const headers = { 'x-api-key': made.body.api_key, 'user-agent': 'reader/1' }
  for (const path of ['/v1/admin/users', '/v1/admin/users', '/v1/admin/audit', '/v1/tasks'])
    expect((await ada.call('GET', path, undefined, headers)).status).toBe(403)
  const refused = await untilListed(`?actor_id=${ada.id}&target_type=route`, 3)
  expect(acts(refused).toSorted()).toEqual(
    ['GET /v1/admin/audit', 'GET /v1/admin/users', 'GET /v1/tasks'].map((route) => `api_key.use ${route}`),
  )
  for (const entry of refused) expect(entry).toMatchObject({ source: 'gateway', outcome: 'denied', user_agent: 'reader/1' })
})

test('refused credentials are recorded on every way in: one per address, kind and minute', async () => {
  const wrong = `yw_${'x'.repeat(43)}`
  const attempts: Record<string, string>[] = [
    { 'x-api-key': wrong },
    { authorization: `Bearer ${wrong}` },
    { authorization: 'Bearer aaa.bbb.ccc' },
    { cookie: 'youworker_token=wrong' },
  ]
  for (let n = 0; n < 5; n += 1)
    for (const headers of attempts) expect((await fetch(`${system.api}/v1/groups`, { headers })).status).toBe(401)
  expect((await fetch(`${system.api}/v1/auth/csrf-token`, { headers: { cookie: 'youworker_token=wrong' } })).status).toBe(200)
  expect((await fetch(`${system.api}/v1/groups`)).status).toBe(401)
  const refused = await untilListed('?source=gateway&target_type=address', 3)
  expect(refused.map(({ action }: { action: string }) => action).toSorted()).toEqual(['api_key.use', 'jwt.use', 'session.use'])
  for (const entry of refused) {
    expect(entry).toMatchObject({ actor_id: null, outcome: 'denied', target_id: '127.0.0.1', address: '127.0.0.1' })
    expect(entry.user_agent).toEqual(expect.any(String))
  }
})

test('route and command agree: intact, until the owner of the database edits or cuts the trail', async () => {
  const verify = async (query = '') => (await root.get(`/v1/admin/audit/verify${query}`)).body
  const intact = await verify()
  expect(intact).toMatchObject({ status: 'intact', broken: null })
  // Reading is recorded as well, so there may be more by now.
  expect(intact.checked).toBeGreaterThan(20)
  expect(intact.position).toMatch(new RegExp(`^${intact.checked}:[0-9a-f]{64}$`))
  const byCommand = await verifyByCommand([], withNats())
  expect(byCommand).toMatchObject({ code: 0, output: expect.stringMatching(/is intact: \d+ entries[.]\n.* agrees with: [1-9]/) })
  const kept = /\d+:[0-9a-f]{64}/.exec(byCommand.output)?.[0]
  expect(await verify(`?after=${kept}`)).toMatchObject({ status: 'intact' })
  expect(await verifyByCommand([], { SECURITY__AUDIT_KEY: AUDIT_KEY.replace('1:', '2:') })).toMatchObject({
    code: 1,
    output: expect.stringContaining('broken at entry 1: it cannot be checked: SECURITY__AUDIT_KEY lacks key 1'),
  })
  expect(await verifyByCommand([], { SECURITY__AUDIT_KEY: '' })).toMatchObject({
    code: 1,
    output: expect.stringContaining('SECURITY__AUDIT_KEY'),
  })

  await tamper(`update auth.audit_entries set outcome = 'denied' where seq = 4`)
  expect(await verify()).toMatchObject({ status: 'broken', broken: { seq: 4, reason: 'it was changed' } })
  expect(await verifyByCommand()).toMatchObject({ code: 1, output: 'The audit trail is broken at entry 4: it was changed.\n' })
  await tamper(`update auth.audit_entries set outcome = 'allowed' where seq = 4`)
  expect((await verify()).status).toBe('intact')

  const lines = system
    .logs()
    .split('\n')
    .filter((line) => line.includes('"checkpoint"'))
  expect(lines.length).toBeGreaterThan(0)
  const file = join(dir, 'auth.log')
  await writeFile(file, ['not JSON', ...lines, '{"other":1}'].join('\n'))
  // A checkpoint that somebody made up without the key does not count.
  const made = JSON.stringify({ seq: 1, hash: '0'.repeat(64), key_version: 1, mac: '0'.repeat(64) })
  await writeFile(join(dir, 'made-up.json'), made)
  expect(await verifyByCommand(['--checkpoints', file])).toMatchObject({ code: 0 })
  expect(await verifyByCommand(['--checkpoints', join(dir, 'made-up.json')])).toMatchObject({
    code: 0,
    output: expect.stringContaining('1 were not made with SECURITY__AUDIT_KEY'),
  })
})

test('an end that was cut off is found by the checkpoints in NATS, by auth itself and by a kept position', async () => {
  const verify = async (query = '') => (await root.get(`/v1/admin/audit/verify${query}`)).body
  const { position, checked } = await verify()
  await tamper(
    `delete from auth.audit_entries where seq > ${checked - 9}`,
    `update auth.audit_head set (seq, hash, key_version) =
      (select seq, hash, key_version from auth.audit_entries order by seq desc limit 1)`,
    `delete from auth.outbox where subject like '%checkpointed'`,
  )
  expect(await verifyByCommand()).toMatchObject({ code: 0, output: expect.stringContaining('is seen only with some') })
  // A late entry of an earlier test may have made the trail longer by then.
  const found = expect.stringMatching(/broken at entry|two different checkpoints/)
  expect(await verifyByCommand([], withNats())).toMatchObject({ code: 1, output: found })
  expect(await verify()).toMatchObject({ status: 'broken' })
  expect(await verify(`?after=${position}`)).toMatchObject({ status: 'broken', broken: { seq: checked } })
  // It grows again, and is longer than it was.
  for (let n = 0; n < 10; n += 1) await ada.post('/v1/groups', { name: `Later ${n}` })
  await untilListed(`?actor_id=${ada.id}&action=group.create&limit=200`, 10)
  await waitFor(async () => (await list('?limit=1')).entries[0].seq > checked, { what: 'a trail that is longer again' })
  expect(await verifyByCommand()).toMatchObject({ code: 0 })
  expect(await verifyByCommand([], withNats())).toMatchObject({
    code: 1,
    output: expect.stringMatching(/two different checkpoints|another entry than the checkpoint says/),
  })
  expect(await verify(`?after=${position}`)).toMatchObject({
    status: 'broken',
    broken: { seq: checked, reason: 'it is not the entry that it was' },
  })
})
