import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:net'
import { ROUTES } from '@youworker/gateway/routes'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { failure, Person } from './support/person.ts'
import { openStreams, type ReplicatedSystem, startReplicatedSystem } from './support/replicated-system.ts'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
let system: ReplicatedSystem
beforeAll(async () => void (system = await startReplicatedSystem()), 180_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const KEYS = '/v1/account/api-keys'
const ROTATE = '/v1/account/api-key/rotate'

async function newKey(of: Person, input: object): Promise<Person> {
  const { status, body } = await of.post(KEYS, input)
  expect([status, body]).toEqual([201, expect.objectContaining({ api_key: expect.stringMatching(/^yw_[\w-]{43}$/) })])
  return new Person(of.api, body.id, body.api_key)
}
const runStatus = async (person: Person, runId: string) => (await person.get(`/v1/runs/${runId}`)).body.status
const listed = async (person: Person) => (await person.get(KEYS)).body.api_keys

test('a rotated key is refused by both gateways, and its stream, WebSocket and run end; the new one works', async () => {
  const ada = await system.newPerson('ada')
  await system.untilAllAnswer(ada.key, 200)
  const open = await openStreams(ada, {}, system.gateways[1])
  const rotated = await ada.post(ROTATE)
  expect([rotated.status, Object.keys(rotated.body)]).toEqual([200, ['api_key']])
  expect(rotated.headers.get('cache-control')).toBe('no-store')
  await system.untilAllAnswer(ada.key, 401)
  expect(await system.statusesOf(rotated.body.api_key)).toEqual([200, 200])
  expect(await open.ended).not.toContain('done success')
  expect(await open.closed).toBe(1008)
  const again = new Person(ada.api, ada.id, rotated.body.api_key)
  await waitFor(async () => (await runStatus(again, open.runId)) === 'cancelled', { what: 'the end of the run' })
  const [key, ...others] = await listed(again)
  expect(others).toEqual([])
  expect(key).toMatchObject({ name: 'Account key', scopes: null, expires_at: null })
  expect(JSON.stringify(key)).not.toContain(rotated.body.api_key.slice(3))
  await waitFor(async () => (await system.audited(key.id)).includes('api_key.rotate'), { what: 'the audit entry' })
})

test('a session rotates the key that it signed in with and goes on; other sessions of that key end', async () => {
  const bob = await system.newPerson('bob')
  const [one, two] = system.gateways.map((api) => new Browser(api))
  if (!one || !two) throw new Error('two gateways run')
  const signIn = (browser: Browser) => browser.call('POST', '/v1/auth/auto-login', { api_key: bob.key })
  const csrf = { 'x-csrf-token': (await signIn(one)).body.csrf_token }
  await signIn(two)
  expect((await one.call('POST', ROTATE)).status).toBe(403)
  const { status, body } = await one.call('POST', ROTATE, undefined, csrf)
  expect(status).toBe(200)
  await system.untilAllAnswer(bob.key, 401)
  await waitFor(async () => (await two.call('GET', '/v1/auth/me')).status === 401, { what: 'the end of the other session' })
  expect((await one.call('GET', '/v1/auth/me')).body.username).toBe('bob')
  expect(await system.statusesOf(body.api_key)).toEqual([200, 200])
})

test('a session by password rotates the key of the account, and no other', async () => {
  const cleo = await system.newPerson('cleo', { password: 'a long password' })
  const other = await newKey(cleo, { name: 'backup' })
  const browser = new Browser(cleo.api)
  const csrf = { 'x-csrf-token': await browser.signIn('cleo', 'a long password') }
  const { body } = await browser.call('POST', ROTATE, undefined, csrf)
  await system.untilAllAnswer(cleo.key, 401)
  expect(await system.statusesOf(body.api_key)).toEqual([200, 200])
  expect(await system.statusesOf(other.key)).toEqual([200, 200])
})

test('a client that is cut off before the answer keeps its old key', async () => {
  const dora = await system.newPerson('dora')
  // From now on the gateways know the key without asking auth.
  await system.untilAllAnswer(dora.key, 200)
  let lost = 0
  for (let trial = 0; trial < 5; trial += 1) {
    const { hostname, port } = new URL(dora.api)
    const signal = (name: NodeJS.Signals) => Promise.all(['auth.1', 'auth.2'].map((auth) => system.system.kill(auth, name)))
    // Nobody can answer before the client has gone.
    await signal('SIGSTOP')
    const socket = connect(Number(port), hostname)
    socket.write(`POST ${ROTATE} HTTP/1.1\r\nhost: ${hostname}\r\nx-api-key: ${dora.key}\r\ncontent-length: 0\r\n\r\n`)
    await sleep(100 * (trial + 1))
    socket.destroy()
    await once(socket, 'close')
    await sleep(100)
    await signal('SIGCONT')
    lost += 1
    await waitFor(
      async () =>
        (await system.system.sql('select from auth.api_keys where replaces is not null and user_id = $1', [dora.id])).length >=
        lost,
      // The gateway may also notice first that nobody is there: then nothing was rotated.
      { what: 'the rotation without an answer', timeoutMs: 5_000 },
    ).catch(() => (lost -= 1))
  }
  expect(lost).toBeGreaterThan(0)
  // The old key works, and a rotation that is answered still replaces it.
  expect(await system.statusesOf(dora.key)).toEqual([200, 200])
  const { body } = await dora.post(ROTATE)
  await system.untilAllAnswer(dora.key, 401)
  expect(await system.statusesOf(body.api_key)).toEqual([200, 200])
}, 120_000)

test('kill -9 of auth or of the gateway at any moment of a rotation leaves its owner exactly one key', async () => {
  const kim = await system.newPerson('kim')
  let key = kim.key
  let answered = 0
  for (let trial = 0; trial < 8; trial += 1) {
    // The first gateway asks either auth: both end.
    const victims = trial % 2 === 0 ? ['auth.1', 'auth.2'] : ['gateway.1']
    const signal = (name: NodeJS.Signals) => Promise.all(victims.map((victim) => system.system.kill(victim, name)))
    // The first rotation reaches nobody.
    if (trial === 0) await signal('SIGSTOP')
    const rotation = new Person(kim.api, kim.id, key).post(ROTATE).catch(() => undefined)
    await sleep(trial === 0 ? 200 : trial * 4)
    await signal('SIGKILL')
    const old = key
    const response = await rotation
    if (response?.status === 200) {
      answered += 1
      key = response.body.api_key
    }
    await waitFor(async () => (await system.statusesOf(key)).join() === '200,200', { what: `a working key after kill ${trial}` })
    if (key !== old) await system.untilAllAnswer(old, 401)
  }
  const { body } = await new Person(kim.api, kim.id, key).post(ROTATE)
  await system.untilAllAnswer(key, 401)
  expect(await system.statusesOf(body.api_key)).toEqual([200, 200])
  // Keys whose answer never arrived end a minute later.
  const lost =
    "update auth.api_keys set created_at = created_at - interval '1 minute' where user_id = $1 and replaces is not null"
  await system.system.sql(lost, [kim.id])
  const isOne = async () => (await listed(new Person(kim.api, kim.id, body.api_key))).length === 1
  await waitFor(isOne, { what: 'the end of lost keys', timeoutMs: 90_000 })
  expect(await system.statusesOf(body.api_key)).toEqual([200, 200])
  expect(answered, 'rotations that were answered in spite of a kill').toBeLessThan(8)
}, 300_000)

test('further keys are listed without the key, and end when they are revoked', async () => {
  const emil = await system.newPerson('emil')
  const key = await newKey(emil, { name: 'reports' })
  await system.untilAllAnswer(key.key, 200)
  const { body } = await emil.get(`${KEYS}?limit=1`)
  expect(body).toEqual({
    total: 2,
    api_keys: [
      {
        id: key.id,
        name: 'reports',
        scopes: null,
        created_at: expect.any(String),
        expires_at: null,
        last_used_at: expect.any(String),
      },
    ],
  })
  const open = await openStreams(key, {}, system.gateways[1])
  expect((await emil.call('DELETE', `${KEYS}/${key.id}`)).status).toBe(204)
  await system.untilAllAnswer(key.key, 401)
  expect(await open.ended).not.toContain('done success')
  expect(await open.closed).toBe(1008)
  await waitFor(async () => (await runStatus(emil, open.runId)) === 'cancelled', { what: 'the end of the run' })
  expect(await system.statusesOf(emil.key)).toEqual([200, 200])
  await waitFor(async () => (await system.audited(key.id)).join() === 'api_key.create,api_key.revoke', { what: 'the audit' })
  // Somebody else's key is like one that does not exist.
  const eve = await system.newPerson('eve')
  const [own] = await listed(emil)
  for (const id of [own.id, key.id, UNKNOWN])
    expect((await eve.call('DELETE', `${KEYS}/${id}`)).body).toMatchObject(failure('API_KEY_NOT_FOUND'))
  expect((await eve.call('DELETE', `${KEYS}/nonsense`)).status).toBe(400)
})

test('an expired key is refused, and its stream, WebSocket and run end', async () => {
  const fay = await system.newPerson('fay')
  const expires_at = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 8_000).toISOString()
  const key = await newKey(fay, { name: 'short', expires_at })
  expect((await listed(fay))[0].expires_at).toMatch(expires_at.slice(0, 19))
  const open = await openStreams(key, {}, system.gateways[1])
  const seen: [number, number][] = []
  while (seen.at(-1)?.[1] !== 401) {
    const asked = Date.now()
    seen.push([asked, (await key.get('/v1/auth/me')).status])
    await sleep(20)
  }
  // No answer to a request sent after the end is 200. (One sent before it may arrive after it.)
  expect(seen.filter(([asked, status]) => asked > Date.parse(expires_at) && status === 200)).toEqual([])
  expect(await system.statusesOf(key.key)).toEqual([401, 401])
  expect(await open.closed).toBe(1008)
  expect(await open.ended).not.toContain('done success')
  await waitFor(async () => (await runStatus(fay, open.runId)) === 'cancelled', { what: 'the end of the run' })
  await waitFor(async () => (await system.audited(key.id)).includes('api_key.expire'), { what: 'the audit entry' })
  const past = await fay.post(KEYS, { name: 'late', expires_at: '2020-01-01T00:00:00Z' })
  expect([past.status, past.body.error.param]).toEqual([400, 'expires_at'])
})

test('keys are bounded in number, and a repeated request shows no key again', async () => {
  const gus = await system.newPerson('gus')
  const repeat = { 'idempotency-key': 'one' }
  expect((await gus.post(KEYS, { name: 'one' }, repeat)).status).toBe(201)
  expect((await gus.post(KEYS, { name: 'one' }, repeat)).body).toMatchObject(failure('CONFLICT'))
  const made = await Promise.all(Array.from({ length: 60 }, () => gus.post(KEYS, { name: 'many' })))
  expect(made.filter(({ status }) => status === 201)).toHaveLength(48)
  expect(made.filter(({ status }) => status === 409)).toHaveLength(12)
  expect((await gus.get(KEYS)).body.total).toBe(50)
  for (const bad of [
    {},
    { name: '' },
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['root'] },
    { name: 'x', expires_at: 'soon' },
  ])
    expect((await gus.post(KEYS, bad)).status, JSON.stringify(bad)).toBe(400)
})

test.each(['chat', 'documents', 'documents:read', 'ops'] as const)(
  'a key with the scope %s opens its routes only',
  async (scope) => {
    const key = await newKey(system.root, { name: scope, scopes: [scope] })
    const session = new Browser(key.api)
    const signedIn = await session.call('POST', '/v1/auth/login', { api_key: key.key, token: true })
    const carriers: [string, Record<string, string>][] = [
      ['key', { 'x-api-key': key.key ?? '' }],
      ['bearer', { authorization: `Bearer ${signedIn.body.access_token}` }],
      ['session', { cookie: session.cookieHeader, 'x-csrf-token': signedIn.body.csrf_token }],
    ]
    const nobody = new Person(key.api, '')
    for (const { method, path, auth, scopes } of ROUTES) {
      if (auth === 'none') continue
      const url = path.replaceAll(/\{\w+\}/g, UNKNOWN)
      if (scopes.includes(scope)) {
        // A right request would do something; a refused scope is all that matters here.
        if (method !== 'GET' || url.endsWith('/events')) continue
        expect([method, path, (await key.call(method, url)).body.error?.code]).not.toEqual([method, path, 'NOT_AUTHORIZED'])
        continue
      }
      for (const [carrier, headers] of carriers) {
        const { body } = await nobody.call(method, url, undefined, headers)
        expect([carrier, method, path, body.error?.code]).toEqual([carrier, method, path, 'NOT_AUTHORIZED'])
      }
    }
    // Not root either, although its user is.
    expect((await key.get('/v1/admin/users')).status).toBe(403)
  },
  120_000,
)

test('a limited key reads documents through chat only with a scope for documents', async () => {
  const hal = await system.newPerson('hal')
  const content = '# Moon\n\nThe Moon orbits the Earth in about twenty-seven days.\n'
  await hal.upload([{ name: 'moon.md', content }])
  const question = 'In how many days does the Moon orbit the Earth?'
  const chatting = await newKey(hal, { name: 'chat', scopes: ['chat'] })
  const blind = await chatting.chat(question)
  expect(blind.done.citations).toEqual([])
  expect(JSON.stringify(blind.events)).not.toContain('twenty-seven')
  expect(JSON.stringify(blind.done.tool_events)).toContain('limited')
  const reading = await newKey(hal, { name: 'chat and read', scopes: ['chat', 'documents:read'] })
  expect((await reading.chat(question)).done.content).toContain('twenty-seven')
  expect((await reading.upload([{ name: 'x.md', content }])).status).toBe(403)
  const uploading = await newKey(hal, { name: 'upload', scopes: ['documents'] })
  expect((await uploading.upload([{ name: 'x.md', content }])).body.success).toBe(true)
  // Only root may give a key that sees health and metrics.
  expect((await hal.post(KEYS, { name: 'x', scopes: ['ops'] })).body).toMatchObject(failure('NOT_AUTHORIZED'))
}, 120_000)

test('the key of the setting is neither rotated nor revoked here', async () => {
  expect((await system.root.post(ROTATE)).body).toMatchObject(failure('CONFLICT'))
  const own = (await listed(system.root)).find(({ name }: { name: string }) => name === 'SECURITY__ROOT_API_KEY')
  expect((await system.root.call('DELETE', `${KEYS}/${own.id}`)).body).toMatchObject(failure('CONFLICT'))
  expect(await system.statusesOf(system.root.key)).toEqual([200, 200])
})
