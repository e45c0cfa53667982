import { createHash, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { LIMITS } from '@youworker/contracts/limits'
import { liveSubject, wakeSubject } from '@youworker/contracts/topology/subjects'
import { type SchemaOwner, SCHEMAS, SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { Person, readEvents, textOf } from './support/person.ts'
import { RawNats } from './support/raw-nats.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const owners = Object.keys(SCHEMAS) as SchemaOwner[]
const stack = new AsyncDisposableStack()
let system: TestSystem
let ada: Person
let eve: Person
/** Connection of the gateway's NATS user, which may call every request of users. */
let gateway: RawNats
let token: string

beforeAll(async () => {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  system = stack.use(await startTestSystem({ tokensPerSecond: 30, env: { SECURITY__JWT_PRIVATE_KEY: pem } }))
  ;[ada, eve] = [await system.newPerson('ada'), await system.newPerson('eve')]
  for (const person of [ada, eve]) await person.chat('Hello')
  gateway = await as('gateway')
  token = (await new Person(system.api, '').post('/v1/auth/login', { api_key: ada.key, token: true })).body.access_token
}, 120_000)
afterAll(() => stack.disposeAsync())

/** After each test every service still answers and is healthy. */
afterEach(async () => {
  expect((await ada.get('/v1/groups')).status).toBe(200)
  expect((await ada.get('/v1/sessions')).body.total).toBeGreaterThan(0)
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
})

const as = async (service: ServiceName) => stack.use(await RawNats.connect(system.running.natsUrlOf(service)))

const list = group.listGroups.subject
const signed = (jwt: string) => ({ 'Access-Token': jwt })

test('a valid request is answered; invalid JSON and input that breaks the contract get VALIDATION_ERROR', async () => {
  expect(await gateway.request(list, '{"limit":5,"offset":0}', signed(token))).toMatchObject({
    code: undefined,
    body: { groups: [] },
  })
  const wrong: (string | Uint8Array)[] = [
    '{"limit":',
    'null',
    '[]',
    '"x"',
    '{"limit":"many"}',
    '{"limit":-1}',
    '['.repeat(20_000),
    Uint8Array.of(0x22, 0xff, 0xfe, 0x22),
    new Uint8Array(1_000),
  ]
  for (const payload of wrong) {
    expect(await gateway.request(list, payload, signed(token)), String(payload).slice(0, 30)).toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringMatching(/.{10}/),
    })
  }
  const id = await gateway.request(group.getGroup.subject, '{"group_id":"../../etc"}', signed(token))
  expect(id).toMatchObject({ code: 'VALIDATION_ERROR', body: { details: [{ field: 'group_id' }] } })
  // The JSON part of a request with bytes is in a header.
  const write = ingestion.writeUpload.subject
  for (const lines of [{}, { Args: '{"blob_id":' }, { Args: '{}' }, { Args: 'null' }]) {
    expect((await gateway.request(write, new Uint8Array(8), { ...signed(token), ...lines })).code).toBe('VALIDATION_ERROR')
  }
})

test('a request that is too large, past its deadline or on an unknown subject fails', async () => {
  const big = JSON.stringify({ name: 'x'.repeat(LIMITS.wire) })
  expect((await gateway.request(group.createGroup.subject, big, signed(token))).code).toBe('PAYLOAD_TOO_LARGE')
  const late = { ...signed(token), Deadline: String(Date.now() - 1) }
  expect((await gateway.request(group.createGroup.subject, '{"name":"too late"}', late)).code).toBe('DEADLINE_EXCEEDED')
  expect((await ada.get('/v1/groups')).body.total).toBe(0)
  for (const Deadline of ['soon', '-5', '1e400', '99999999999999999']) {
    expect((await gateway.request(list, '{}', { ...signed(token), Deadline })).code).toBeUndefined()
  }
  await expect(gateway.request(list.replace('.list', '.burn'), '{}', signed(token))).rejects.toThrow()
})

test('a missing, expired or forged token is refused', async () => {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
  const now = Math.floor(Date.now() / 1_000)
  // These claims with a correct signature are accepted, so each token below is refused for its one change.
  const good = jwt(header, { ...claims, jti: newId() }, privateKey)
  expect((await gateway.request(list, '{}', signed(good))).code).toBeUndefined()

  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const forged: Record<string, string> = {
    'another key under our name': jwt(header, claims, stranger),
    'an unknown key': jwt({ ...header, kid: createHash('sha256').update('x').digest('base64url') }, claims, stranger),
    'no key named': jwt({ alg: 'RS256' }, claims, privateKey),
    'a key that the token brings along': jwt(
      { ...header, jwk: createPublicKey(stranger).export({ format: 'jwk' }) },
      claims,
      stranger,
    ),
    'alg none': `${part({ ...header, alg: 'none' })}.${part(claims)}.`,
    'HS256 with the public key': hmac({ ...header, alg: 'HS256' }, claims, publicPem),
    'an expired one': jwt(header, { ...claims, iat: now - 700, exp: now - 100 }, privateKey),
    'one that lives too long': jwt(header, { ...claims, exp: now + 86_400 }, privateKey),
    'another issuer': jwt(header, { ...claims, iss: 'somebody' }, privateKey),
    'changed claims': `${token.split('.')[0]}.${part({ ...claims, sub: eve.id })}.${token.split('.')[2]}`,
    'a refresh token': jwt(header, { ...claims, aud: 'refresh' }, privateKey),
    nonsense: 'x.y.z',
    'a very long one': 'x'.repeat(20_000),
  }
  for (const [what, bad] of Object.entries(forged)) {
    expect(await gateway.request(list, '{}', signed(bad)), what).toMatchObject({
      code: 'NOT_AUTHENTICATED',
      message: expect.stringContaining('Not authenticated'),
    })
  }
  expect((await gateway.request(list, '{}')).code).toBe('NOT_AUTHENTICATED')
  // The token of an agent's run is valid for search, and not for requests of audience `api`.
  const run = jwt(header, { ...claims, aud: 'run', exp: now + 200, jti: newId() }, privateKey)
  expect((await gateway.request(list, '{}', signed(run))).code).toMatch(/^NOT_AUTH/)
  expect((await gateway.request(ingestion.search.subject, '{"query":"x"}', signed(run))).code).toBeUndefined()
})

test('a service’s NATS user may not call, read or serve other subjects than its own', async () => {
  const [asGroup, asAnalytics, asTools, asAgent] = [
    await as('group'),
    await as('analytics'),
    await as('tools'),
    await as('chat-agent'),
  ]
  // Allowed subjects are not refused, so the refusals below are real.
  expect(await asGroup.isSubscriptionRefused('rpc.group.>')).toBe(false)
  expect(await asGroup.isPublishRefused(auth.listKeys.subject)).toBe(false)

  expect(await asGroup.isPublishRefused(chatAgent.startRun.subject)).toBe(true)
  expect(await asGroup.isPublishRefused(auth.createUser.subject)).toBe(true)
  expect(await asGroup.isPublishRefused(auth.issueGrantToken.subject)).toBe(true)
  expect(await gateway.isPublishRefused(auth.issueGrantToken.subject)).toBe(true)
  expect(await asAnalytics.isSubscriptionRefused(liveSubject('*'))).toBe(true)
  expect(await asAnalytics.isPublishRefused(liveSubject(newId()))).toBe(true)
  expect(await asTools.isPublishRefused(auth.revocationAdded.subject)).toBe(true)
  expect(await asTools.isPublishRefused(wakeSubject('ingestion', 'run'))).toBe(true)
  expect(await asAgent.isPublishRefused(ingestion.documentDeleted.subject)).toBe(true)

  for (const service of SERVICES) {
    const user = await as(service)
    const others = SERVICES.filter((other) => other !== service)
    const foreign = [
      ...others.flatMap((other) => [`rpc.${other}.>`, `_INBOX.${other}.>`, `wake.${other}.>`]),
      '>',
      '_INBOX.>',
      'events.>',
    ]
    for (const subject of foreign) expect(await user.isSubscriptionRefused(subject), `${service}: ${subject}`).toBe(true)
    for (const verb of [
      'STREAM.DELETE.EVENTS',
      'STREAM.PURGE.EVENTS',
      'STREAM.MSG.GET.EVENTS',
      'STREAM.MSG.DELETE.EVENTS',
      'CONSUMER.DELETE.EVENTS.auth',
    ]) {
      expect(await user.isPublishRefused(`$JS.API.${verb}`), `${service}: ${verb}`).toBe(true)
    }
  }
})

test('unknown users and wrong passwords get no connection', async () => {
  const url = new URL(system.running.natsUrlOf('group'))
  for (const [username, password] of [
    ['group', 'wrong'],
    ['nobody', ''],
    ['', ''],
  ] as const) {
    Object.assign(url, { username, password })
    await expect(RawNats.connect(url.href, { ignoreAuthErrorAbort: false })).rejects.toThrow(/authorization/i)
  }
})

test('garbage on live entries and wake-ups does not disturb a stream', async () => {
  const asAgent = await as('chat-agent')
  const response = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"text_input":"Who are you?"}',
  })
  const events = []
  for await (const event of readEvents(response)) {
    events.push(event)
    if (event.event !== 'token') continue
    const subject = liveSubject(events[0]?.data.run_id)
    for (const payload of ['{"n":', 'null', '{}', '{"n":"x","body":{}}', '\u0000']) asAgent.core.publish(subject, payload)
    asAgent.core.publish(wakeSubject('chat-agent', 'run'), 'nonsense')
  }
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect([textOf(events), events.at(-1)?.data.metadata.status]).toEqual([events.at(-1)?.data.content, 'success'])
})

test('malformed events become dead letters with a reason, and valid ones are still counted', async () => {
  const overview = async () => (await ada.get('/v1/analytics/overview')).body
  await waitFor(async () => (await overview()).messages?.total === 4, { what: 'four messages in the overview' })
  const asAgent = await as('chat-agent')
  const { subject } = chatAgent.sessionCreated
  for (const payload of ['{"specversion":', 'null', '{}', JSON.stringify({ specversion: '1.0', id: newId(), data: {} })]) {
    asAgent.core.publish(subject, payload)
  }
  await ada.post('/v1/sessions', { title: 'after the garbage' })
  const letters = await waitFor(
    async () => {
      const rows = await sqlAs(system.running.adminUrl, 'select reason from analytics.dead_letters')
      return rows.length === 4 && rows
    },
    { what: 'four dead letters' },
  )
  for (const { reason } of letters) expect(reason).toContain(subject)
  await waitFor(async () => (await overview()).sessions?.total === 3, { what: 'the third session in the overview' })
})

async function sqlAs(url: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = (await client.query(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

const refused = expect.objectContaining({ code: '42501' })

test('a service’s Postgres role reads only its own schema and cannot change tables', async () => {
  const tables = await sqlAs(
    system.running.adminUrl,
    `select schemaname as schema, tablename as name from pg_tables where schemaname = any('{${Object.values(SCHEMAS).join(',')}}')`,
  )
  expect(tables.length).toBeGreaterThan(40)
  for (const owner of owners) {
    const client = new pg.Client({ connectionString: system.running.databaseUrlOf(owner) })
    await client.connect()
    try {
      for (const { schema, name } of tables) {
        const query = client.query(`select * from "${schema}"."${name}" limit 1`)
        if (schema === SCHEMAS[owner]) await query
        else await expect(query, `${owner} reads ${schema}.${name}`).rejects.toEqual(refused)
      }
      const own = SCHEMAS[owner]
      for (const statement of [
        `create table "${own}".mine (id int)`,
        `alter table "${own}".outbox disable row level security`,
        `drop table "${own}".outbox`,
        `set role "${own}_owner"`,
        'set role postgres',
        'create role more superuser',
        `copy (select 1) to program 'true'`,
        `select pg_read_file('/etc/passwd')`,
        'create table public.mine (id int)',
      ]) {
        await expect(client.query(statement), `${owner}: ${statement}`).rejects.toEqual(refused)
      }
    } finally {
      await client.end()
    }
  }
})

test('a query without a where returns only rows of the spaces that are set, and none without spaces', async () => {
  const url = system.running.databaseUrlOf('chat-agent')
  const everything = await sqlAs(system.running.adminUrl, 'select distinct space_id from chat_agent.messages')
  expect(everything.map(({ space_id }) => space_id).sort()).toEqual([ada.id, eve.id].sort())
  expect(await sqlAs(url, 'select * from chat_agent.messages')).toEqual([])
  const adas = await sqlAs(
    url,
    `select set_config('app.spaces', '${ada.id}', false)`,
    'select distinct space_id from chat_agent.messages',
  )
  expect(adas).toEqual([{ space_id: ada.id }])
  expect(await sqlAs(url, `select set_config('app.spaces', '${newId()}', false)`, 'select * from chat_agent.messages')).toEqual(
    [],
  )
  // Rows of other spaces cannot be updated, deleted or created either.
  const setAda = `select set_config('app.spaces', '${ada.id}', false)`
  for (const change of [
    `update chat_agent.sessions set model = 'x' where space_id = '${eve.id}' returning id`,
    `delete from chat_agent.sessions where space_id = '${eve.id}' returning id`,
  ]) {
    expect(await sqlAs(url, setAda, change)).toEqual([])
  }
  const moved = sqlAs(url, setAda, `update chat_agent.sessions set space_id = '${eve.id}'`)
  await expect(moved).rejects.toEqual(refused)
  expect((await eve.get('/v1/sessions')).body.total).toBe(1)
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function jwt(header: object, claims: object, key: KeyObject): string {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

function hmac(header: object, claims: object, secret: string): string {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
