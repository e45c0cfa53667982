import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, type Person } from './support/person.ts'

let dir: string
let system: TestSystem
let ada: Person
let bob: Person
let eve: Person

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-groups-'))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: [{ match: { contains: 'Show the prompt' }, reply: { echo: true } }] }))
  system = await startTestSystem({ script })
  ;[ada, bob, eve] = [await system.newPerson('ada'), await system.newPerson('bob'), await system.newPerson('eve')]
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const newGroup = async (name: string) => {
  const { status, body } = await ada.post('/v1/groups', { name, description: 'Überblick 日本 🙂' })
  expect(status).toBe(201)
  return body.id as string
}

test('a group is created, joined, renamed, passed on and deleted', async () => {
  const id = await newGroup('Research')
  expect((await ada.get('/v1/groups')).body).toMatchObject({
    total: 1,
    limit: 50,
    offset: 0,
    groups: [{ id, name: 'Research', description: 'Überblick 日本 🙂', role: 'admin', member_count: 1 }],
  })
  expect((await ada.get('/v1/groups/me')).body).toEqual([expect.objectContaining({ id })])
  const joined = await ada.post(`/v1/groups/${id}/members`, { user_id: bob.id })
  expect([joined.status, joined.body]).toEqual([
    201,
    expect.objectContaining({ user_id: bob.id, username: 'bob', role: 'member' }),
  ])
  expect((await bob.get(`/v1/groups/${id}`)).body).toMatchObject({
    role: 'member',
    member_count: 2,
    members: [expect.any(Object), expect.any(Object)],
  })
  expect((await bob.get(`/v1/groups/${id}/members`)).body).toHaveLength(2)
  expect((await bob.get('/v1/auth/me')).body.groups).toEqual([expect.objectContaining({ id })])

  expect((await bob.call('PATCH', `/v1/groups/${id}`, { name: 'Bobs' })).body).toMatchObject(failure('NOT_GROUP_ADMIN'))
  expect((await bob.call('DELETE', `/v1/groups/${id}`)).status).toBe(403)
  expect((await ada.call('PUT', `/v1/groups/${id}`, { name: 'Research & more' })).body).toMatchObject({ name: 'Research & more' })

  for (const [method, role] of [
    ['POST', 'admin'],
    ['PUT', 'member'],
    ['PATCH', 'admin'],
  ] as const) {
    expect((await ada.call(method, `/v1/groups/${id}/members/${bob.id}`, { role })).body).toMatchObject({ user_id: bob.id, role })
  }
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${ada.id}`)).status).toBe(204)
  expect((await ada.get(`/v1/groups/${id}`)).body).toMatchObject(failure('GROUP_NOT_FOUND'))
  expect((await bob.call('DELETE', `/v1/groups/${id}`)).status).toBe(204)
  expect((await bob.get('/v1/groups')).body.total).toBe(0)
})

test('answers in sessions of a group follow its instructions, as long as their user is in it', async () => {
  const instructions = 'You are {{group}}, it is {{date}}, {{user}} asks; {{unknown}} stays.'
  const made = await ada.post('/v1/groups', { name: 'Pirates', instructions })
  expect([made.status, made.body.instructions]).toEqual([201, instructions])
  const id = made.body.id as string
  await ada.post(`/v1/groups/${id}/members`, { username: 'bob' })
  expect((await bob.get(`/v1/groups/${id}`)).body.instructions).toBe(instructions)
  expect(Object.keys((await bob.get('/v1/groups')).body.groups[0])).not.toContain('instructions')
  expect((await bob.call('PATCH', `/v1/groups/${id}`, { instructions: 'Mine' })).body).toMatchObject(failure('NOT_GROUP_ADMIN'))
  const tooLong = await ada.call('PATCH', `/v1/groups/${id}`, { instructions: 'é'.repeat(9_000) })
  expect(tooLong.body).toMatchObject(failure('VALIDATION_ERROR'))

  const ask = { text_input: 'Show the prompt', enable_tools: false, stream: false }
  const promptIn = ({ content }: { content: string }): string => JSON.parse(content)[0].content
  const asked = await bob.post('/v1/chat', { ...ask, group_id: id })
  const filled = `You are Pirates, it is ${new Date().toISOString().slice(0, 10)}, bob asks; {{unknown}} stays.`
  expect(promptIn(asked.body)).toContain(filled)
  const { session_id } = asked.body
  expect((await bob.get(`/v1/sessions/${session_id}`)).body.session.group_id).toBe(id)
  const simple = await bob.post('/v1/simple-chat', { message: 'Show the prompt', group_id: id, enable_tools: false })
  expect(promptIn(simple.body)).toContain(filled)

  const hers = (await eve.post('/v1/sessions', {})).body.external_id
  for (const answer of [
    await eve.post('/v1/chat', { ...ask, group_id: id }),
    await eve.post('/v1/sessions', { group_id: id }),
    await eve.call('PATCH', `/v1/sessions/${hers}`, { group_id: id }),
  ])
    expect(answer).toMatchObject({ status: 404, body: failure('GROUP_NOT_FOUND') })

  expect((await bob.call('DELETE', `/v1/groups/${id}/members/${bob.id}`)).status).toBe(204)
  const later = await bob.post('/v1/chat', { ...ask, session_id })
  expect([later.status, promptIn(later.body).includes('Pirates')]).toEqual([200, false])
  expect(JSON.stringify(later.body.logs)).toContain('no longer in the group')
  expect((await ada.call('DELETE', `/v1/groups/${id}`)).status).toBe(204)
})

test('invalid group requests get the published error codes', async () => {
  const id = await newGroup('Errors')
  const member = (body: unknown) => ada.post(`/v1/groups/${id}/members`, body)
  expect((await ada.post('/v1/groups', { name: ' errors ' })).body).toMatchObject(failure('GROUP_NAME_EXISTS'))
  expect((await ada.post('/v1/groups', { name: 'x'.repeat(129) })).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await member({ username: 'nobody-of-that-name' })).body).toMatchObject(failure('USER_NOT_FOUND'))
  expect((await member({ username: 'bob', role: 'emperor' })).body).toMatchObject(failure('INVALID_ROLE'))
  expect((await member({ username: 'bob' })).status).toBe(201)
  const again = await member({ username: 'bob' })
  expect(again.status).toBe(400)
  expect(again.body).toMatchObject(failure('MEMBERSHIP_EXISTS'))
  expect((await ada.call('PATCH', `/v1/groups/${id}/members/${ada.id}`, { role: 'member' })).body).toMatchObject(
    failure('LAST_ADMIN'),
  )
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${ada.id}`)).body).toMatchObject(failure('LAST_ADMIN'))
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${eve.id}`)).body).toMatchObject(failure('MEMBERSHIP_NOT_FOUND'))
})

test('simultaneous demotions leave one admin', async () => {
  const id = await newGroup('Race')
  await ada.post(`/v1/groups/${id}/members`, { username: 'bob', role: 'admin' })
  const demote = (who: Person, whom: Person) => who.call('PATCH', `/v1/groups/${id}/members/${whom.id}`, { role: 'member' })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? demote(ada, ada) : demote(bob, bob))))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  const { body } = await ada.get(`/v1/groups/${id}/members`)
  expect(body.filter(({ role }: { role: string }) => role === 'admin')).toHaveLength(1)
})

test('a repeat with the same idempotency key creates no second group', async () => {
  const make = () => ada.post('/v1/groups', { name: 'Once' }, { 'idempotency-key': 'once-1' })
  const [first, second] = [await make(), await make()]
  expect(second.body.id).toBe(first.body.id)
  expect((await ada.post('/v1/groups', { name: 'Twice' }, { 'idempotency-key': 'once-1' })).body).toMatchObject(
    failure('IDEMPOTENCY_MISMATCH'),
  )
})

const FIGURES = [
  'overview',
  'tokens-timeline',
  'tokens',
  'tool-performance',
  'tool-timeline',
  'ingestion-stats',
  'session-activity',
  'dashboard',
]
const figuresOf = (person: Person, query = '', route = 'overview') => person.get(`/v1/analytics/${route}?${query}`)
const overview = async (person: Person, query = '') => (await figuresOf(person, query)).body

/** Chats, and waits until analytics knows it. */
async function chat(who: Person, chats: number): Promise<void> {
  await who.chat('Hello')
  await expect.poll(async () => (await overview(who)).messages?.total, { timeout: 30_000 }).toBe(2 * chats)
}

test('an admin sees what members did since they joined and until they left, and the documents of the group only', async () => {
  const [fay, gus, hal] = [await system.newPerson('fay'), await system.newPerson('gus'), await system.newPerson('hal')]
  const id = (await fay.post('/v1/groups', { name: 'Counted' })).body.id
  const ofGroup = () => overview(fay, `group_id=${id}`)
  const join = (who: Person) => fay.post(`/v1/groups/${id}/members`, { user_id: who.id })
  const upload = (who: Person, name: string, fields: Record<string, string>) =>
    who.upload([{ name, content: `# ${name}\n\nText.` }], { wait: 'true', ...fields })

  await chat(gus, 1)
  await chat(hal, 1)
  for (const who of [gus, hal]) expect((await join(who)).status).toBe(201)
  const nothing = { sessions: { total: 0 }, messages: { total: 0 }, documents: { total: 0 }, ingestion: { total_runs: 0 } }
  expect(await ofGroup()).toMatchObject({ ...nothing, tokens: { total: 0 }, tools: { total_runs: 0 } })

  await chat(fay, 1)
  await chat(gus, 2)
  await chat(hal, 2)
  expect(await ofGroup()).toMatchObject({ sessions: { total: 3 }, messages: { total: 6 } })

  await upload(hal, 'shelf.md', { group_id: id, collection: 'Shelf' })
  await upload(gus, 'loose.md', { group_id: id })
  await upload(gus, 'own.md', {})
  await upload(gus, 'private.md', { group_id: id, is_private: 'true' })
  await expect.poll(async () => (await overview(gus)).ingestion.total_runs, { timeout: 30_000 }).toBe(3)
  await expect.poll(ofGroup, { timeout: 30_000 }).toMatchObject({ documents: { total: 2 }, ingestion: { total_runs: 2 } })
  const { by_collection } = (await figuresOf(fay, `group_id=${id}`, 'ingestion-stats')).body
  expect(by_collection).toHaveLength(2)
  for (const collection of ['Shelf', null])
    expect(by_collection).toContainEqual(expect.objectContaining({ collection, document_count: 1 }))

  expect((await hal.call('DELETE', `/v1/groups/${id}/members/${hal.id}`)).status).toBe(204)
  await chat(hal, 3)
  const left = { sessions: { total: 2 }, messages: { total: 4 }, documents: { total: 2 }, ingestion: { total_runs: 2 } }
  expect(await ofGroup()).toMatchObject(left)
  // What he did before he left is not shown again when he is back.
  expect((await join(hal)).status).toBe(201)
  expect(await ofGroup()).toMatchObject(left)

  const dashboard = (await figuresOf(fay, `group_id=${id}`, 'dashboard')).body
  const route = async (name: string) => (await figuresOf(fay, `group_id=${id}`, name)).body
  expect(dashboard).toEqual({
    overview: await route('overview'),
    tokens_timeline: await route('tokens-timeline'),
    tool_performance: await route('tool-performance'),
    ingestion_stats: await route('ingestion-stats'),
    session_activity: await route('session-activity'),
  })
  expect(dashboard.tokens_timeline.data).toHaveLength(31)
  expect(dashboard.tokens_timeline.data.at(-1).total_tokens).toBe(dashboard.overview.tokens.total)
  expect((await route('tokens')).total_tokens).toBe(dashboard.overview.tokens.total)
}, 120_000)

test('figures of a group are for its admins, those of the installation for root; both reads are audited', async () => {
  const id = await newGroup('Figures')
  await ada.post(`/v1/groups/${id}/members`, { username: 'bob' })
  const [ofGroup, ofAll] = [`group_id=${id}`, 'scope=installation']
  for (const route of FIGURES) {
    const answers: [who: Person, query: string, status: number, code?: Parameters<typeof failure>[0]][] = [
      [ada, ofGroup, 200],
      [bob, ofGroup, 403, 'NOT_GROUP_ADMIN'],
      [eve, ofGroup, 404, 'GROUP_NOT_FOUND'],
      [system.root, ofGroup, 404, 'GROUP_NOT_FOUND'],
      [ada, `group_id=${newId()}`, 404, 'GROUP_NOT_FOUND'],
      [system.root, ofAll, 200],
      [ada, ofAll, 403, 'NOT_AUTHORIZED'],
      [ada, 'scope=own', 200],
      [system.root, `${ofGroup}&${ofAll}`, 400, 'VALIDATION_ERROR'],
      [ada, `${ofGroup}&scope=own`, 400, 'VALIDATION_ERROR'],
      [ada, 'scope=everybody', 400, 'VALIDATION_ERROR'],
      [ada, 'group_id=1', 400, 'VALIDATION_ERROR'],
    ]
    for (const [who, query, status, code] of answers) {
      const answer = await figuresOf(who, query, route)
      expect([route, query, answer.status]).toEqual([route, query, status])
      if (code) expect(answer.body).toMatchObject(failure(code))
    }
  }
  const database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  const { rows } = await database.query<{ messages: number }>(
    'select count(*)::int as messages from chat_agent.messages join chat_agent.sessions s on s.id = session_id where role in ($1, $2)',
    ['user', 'assistant'],
  )
  await database.end()
  const { overview: all, ingestion_stats } = (await figuresOf(system.root, ofAll, 'dashboard')).body
  expect(all.messages.total).toBe(rows[0]?.messages)
  expect(ingestion_stats.by_collection).toEqual([])

  const audited = async (query: string) =>
    (await system.root.get(`/v1/admin/audit?${query}`)).body.entries.map(
      ({ actor_id, outcome, action, source }: Record<string, string>) => [actor_id, outcome, action, source].join(' '),
    )
  const of = (who: Person, outcome: string) => `${who.id} ${outcome} analytics.read analytics`
  const named = `action=analytics.read&target_type=group&target_id=${id}`
  await waitFor(async () => new Set(await audited(named)).size === 2, { what: 'the entries of the group' })
  expect(await audited(named)).toEqual(expect.arrayContaining([of(ada, 'allowed'), of(bob, 'denied')]))
  await waitFor(async () => new Set(await audited('action=analytics.read&target_type=installation')).size === 2, {
    what: 'the entries of the installation',
  })
  expect(await audited('action=analytics.read&target_type=installation')).toContain(of(ada, 'denied'))
  await waitFor(async () => (await audited(`actor_id=${eve.id}&target_id=${id}&source=analytics`)).length > 0, {
    what: 'the stranger',
  })
}, 120_000)

test('while the group service is away or hangs its figures answer 503, and all others work', async () => {
  const id = await newGroup('Away')
  const expectRefused = async () => {
    const refused = await figuresOf(ada, `group_id=${id}`)
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
    expect(refused.body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
    expect((await figuresOf(ada)).status).toBe(200)
    expect((await figuresOf(system.root, 'scope=installation')).status).toBe(200)
  }
  const database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  await database.query('begin; lock table "group".members')
  await expectRefused()
  await database.end()
  await system.running.services.group.stop()
  await expectRefused()
  await system.running.services.group.start()
  await expect.poll(async () => (await figuresOf(ada, `group_id=${id}`)).status, { timeout: 30_000 }).toBe(200)
})

test('all members of a large group count, up to 2,000', async () => {
  const id = await newGroup('Large')
  const database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  const enrol = async (count: number) => {
    const ids = Array.from({ length: count }, () => newId())
    await database.query(
      `insert into "group".members (group_id, user_id, role, joined_at)
        select $1, user_id, 'member', now() - interval '1 hour' from unnest($2::uuid[]) as user_id`,
      [id, ids],
    )
    await database.query(
      `insert into analytics.messages (message_id, space_id, session_id, role, tokens_in, tokens_out, created_at)
        select gen_random_uuid(), space_id, gen_random_uuid(), 'user', 1, 0, now() - age
        from unnest($1::uuid[]) as space_id, unnest(array['1 minute', '2 hours']::interval[]) as age`,
      [ids],
    )
  }
  try {
    await enrol(650)
    expect(await overview(ada, `group_id=${id}`)).toMatchObject({ messages: { total: 650 } })
    await enrol(1_350)
    expect(await overview(ada, `group_id=${id}`)).toMatchObject({
      error: { code: 'VALIDATION_ERROR', message: expect.stringMatching(/has 2001 members.*2000/) },
    })
  } finally {
    await database.end()
  }
}, 60_000)
