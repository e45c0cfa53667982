import { auth, type Revocation } from '@youworker/contracts/auth'
import { group } from '@youworker/contracts/group'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createClient } from '../requests/client.ts'
import { closeNats, connectNats, type NatsConnection } from '../connection/connect.ts'
import { ensureEventStream } from '../events/ensure-event-stream.ts'
import { createEventPublisher } from '../events/events.ts'
import { serve, type Caller } from '../requests/server.ts'
import { createTokenVerifier, type KeySource, type TokenVerifier } from './token-verifier.ts'

const logger = silentLogger()
const contract = { getGroup: { ...group.getGroup, output: auth.endSession.output }, listSpaces: group.listSpaces } as const
const keys = await Promise.all(
  ['k1', 'k2', 'k3'].map(async (kid) => ({ kid, ...(await generateKeyPair('RS256', { extractable: true })) })),
)
type Key = (typeof keys)[number]
const [k1, k2, stranger] = keys as [Key, Key, Key]

let server: TestNats
let nats: NatsConnection
let stack: AsyncDisposableStack
/** The keys that auth would publish. */
let published: Key[]
let revocations: Revocation[]
let asked: number

beforeAll(async () => {
  server = await testNats()
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  nats = stack.adopt(await connectNats({ url: server.url, service: 'group', logger }), closeNats)
  published = [k1]
  revocations = []
  asked = 0
})
afterEach(() => stack.disposeAsync())

const authSource: KeySource = {
  async listKeys() {
    asked += 1
    return {
      keys: await Promise.all(
        published.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' })),
      ),
    }
  },
  listRevocations: async () => ({ revocations }),
}
async function serveAuth() {
  const { listKeys, listRevocations } = auth
  const handlers = {
    listKeys: async () => ({ keys: [...(await authSource.listKeys()).keys] }),
    listRevocations: async () => ({ revocations }),
  }
  return stack.use(await serve(nats, { listKeys, listRevocations }, handlers, { service: 'auth', verifier: undefined, logger }))
}
async function serveGroup(verifier: TokenVerifier) {
  const callers: Caller[] = []
  const handlers = {
    getGroup: async (_: unknown, { caller }: { caller: Caller }) => (callers.push(caller), {}),
    listSpaces: async () => ({ space_ids: [] }),
  }
  stack.use(await serve(nats, contract, handlers, { service: 'group', verifier, logger }))
  return callers
}

interface Changes {
  key?: Key
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
}
const person = { sub: newId(), sid: newId() }
function token({ key = k1, header = {}, claims = {} }: Changes = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const standard = { iss: 'youworker', aud: 'api', root: false, scopes: ['*'], jti: newId(), iat: now, exp: now + 600, ...person }
  return new SignJWT({ ...standard, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
    .sign(key.privateKey)
}
const call = async (tokenText: string | undefined) =>
  createClient(nats, contract)
    .as({ caller: tokenText === undefined ? undefined : { token: tokenText } })
    .getGroup({ group_id: newId() })
const refused = (expected: string) => expect.objectContaining({ code: expected, message: expect.any(String) })

test('a valid token becomes the caller in the context of the handler, with the token itself', async () => {
  await serveAuth()
  const callers = await serveGroup(stack.use(await createTokenVerifier(nats, { logger })))
  const good = await token({ claims: { root: true } })
  await call(good)
  await call(good)
  const { sub: user_id, sid } = person
  expect(callers).toEqual(Array(2).fill({ user_id, sid, is_root: true, scopes: ['*'], aud: 'api', token: good }))
  expect(asked).toBe(1)
})

test('a missing or invalid token is NOT_AUTHENTICATED, and the handler does not run', async () => {
  await serveAuth()
  const callers = await serveGroup(stack.use(await createTokenVerifier(nats, { logger })))
  const now = Math.floor(Date.now() / 1_000)
  const good = await token()
  const [head = '', body = '', signature = ''] = good.split('.')
  const encode = (value: unknown) => base64url.encode(JSON.stringify(value))
  const none = `${encode({ alg: 'none', kid: 'k1' })}.${body}.`
  const hmac = await new SignJWT({ ...person })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .sign(new TextEncoder().encode(await exportSPKI(k1.publicKey)))
  const swapped = `${head}.${encode({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), root: true })}.${signature}`
  const wrong: Record<string, string | undefined> = {
    missing: undefined,
    garbage: 'garbage',
    dots: '..',
    long: 'x'.repeat(5_000),
    none,
    hmac,
    swapped,
    'cut signature': good.slice(0, -4),
    'unknown key': await token({ key: stranger }),
    'our kid, foreign key': await token({ key: stranger, header: { kid: 'k1' } }),
    'no kid': await token({ header: { kid: undefined } }),
    'key inside': await token({
      key: stranger,
      header: { kid: 'k1', jwk: await exportJWK(stranger.publicKey), jku: 'http://127.0.0.1/' },
    }),
    issuer: await token({ claims: { iss: 'someone' } }),
    expired: await token({ claims: { iat: now - 700, exp: now - 100 } }),
    'lives too long': await token({ claims: { exp: now + 601 } }),
    'no end': await token({ claims: { exp: undefined } }),
    'audience of others': await token({ claims: { aud: 'refresh' } }),
    'two audiences': await token({ claims: { aud: ['api', 'run'] } }),
    'root as text': await token({ claims: { root: 'true' } }),
    'no session': await token({ claims: { sid: undefined } }),
  }
  for (const [name, text] of Object.entries(wrong)) {
    const outcome = await call(text).then(
      () => 'accepted',
      (error: { code: string; message: string }) => `${error.code} ${error.message}`,
    )
    expect(`${name}: ${outcome}`).toMatch(/: NOT_AUTHENTICATED Not authenticated/)
  }
  expect(callers).toEqual([])
  await call(good)
})

test('a run token is accepted only where the contract has that audience', async () => {
  await serveAuth()
  await serveGroup(stack.use(await createTokenVerifier(nats, { logger })))
  const run = await token({ claims: { aud: 'run', act: { sub: 'chat-agent' } } })
  await expect(call(run)).rejects.toThrow(refused('NOT_AUTHORIZED'))
  expect(
    await createClient(nats, contract)
      .as({ caller: { token: run } })
      .listSpaces({}),
  ).toEqual({ space_ids: [] })
})

test('a cached token is refused when it has expired', async () => {
  const verifier = stack.use(await createTokenVerifier(nats, { logger, source: authSource }))
  const now = Math.floor(Date.now() / 1_000)
  const brief = await token({ claims: { exp: now + 2 } })
  await verifier.verify(brief, ['api'])
  await waitFor(
    () =>
      verifier.verify(brief, ['api']).then(
        () => false,
        (error: unknown) => (expect(error).toEqual(refused('NOT_AUTHENTICATED')), true),
      ),
    { what: 'the end of the token' },
  )
})

test('a new signing key is found by its id; unknown ids do not read the keys each time', async () => {
  const verifier = stack.use(await createTokenVerifier(nats, { logger, source: authSource }))
  published = [k2, k1]
  await waitFor(async () => verifier.verify(await token({ key: k2 }), ['api']), { what: 'the new key' })
  const before = asked
  const strangers = Array.from({ length: 50 }, async () =>
    verifier.verify(await token({ key: stranger }), ['api']).catch(() => {}),
  )
  await Promise.all(strangers)
  expect(asked - before).toBeLessThanOrEqual(1)
})

test('while auth is down every call is refused, and services still start', async () => {
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  await serveGroup(verifier)
  const good = await token()
  await expect(call(good)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  await serveAuth()
  await waitFor(() => call(good), { what: 'auth to be found' })
})

test('a revocation event refuses the cached tokens of its session and reaches listeners once', async () => {
  await serveAuth()
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  await serveGroup(verifier)
  const received: Revocation[] = []
  using _listening = verifier.onRevoked((revocation) => {
    received.push(revocation)
    throw new Error('a listener with a bug')
  })
  const [mine, other] = [await token(), await token({ claims: { sid: newId() } })]
  await call(mine)
  const revocation = { sid: person.sid, sub: null, revoked_at: new Date().toISOString() }
  const publisher = createEventPublisher(nats, { logger })
  await ensureEventStream({ url: server.url, logger })
  await publisher.publish([
    {
      specversion: '1.0',
      id: newId(),
      source: 'auth',
      type: auth.revocationAdded.subject,
      time: revocation.revoked_at,
      datacontenttype: 'application/json',
      data: revocation,
    },
  ])
  await waitFor(() => received.length, { what: 'the revocation' })
  await expect(call(mine)).rejects.toThrow(refused('NOT_AUTHENTICATED'))
  await expect(call(await token())).rejects.toThrow(refused('NOT_AUTHENTICATED'))
  await call(other)
  expect(received).toEqual([revocation])
})

test('a missed revocation event is found by the reload; a revocation of a user refuses tokens issued before it', async () => {
  const verifier = stack.use(await createTokenVerifier(nats, { logger, source: authSource }))
  const old = await token()
  await verifier.verify(old, ['api'])
  await new Promise((resolve) => setTimeout(resolve, 5))
  revocations = [{ sid: null, sub: person.sub, revoked_at: new Date().toISOString() }]
  await waitFor(
    () =>
      verifier.verify(old, ['api']).then(
        () => false,
        (error: unknown) => (expect(error).toEqual(refused('NOT_AUTHENTICATED')), true),
      ),
    { what: 'the reload' },
  )
  await verifier.verify(await token({ claims: { sid: newId() } }), ['api'])
})

test('revocations are reloaded at once after a reconnect', async () => {
  const other = stack.use(await testNats())
  const lone = stack.adopt(await connectNats({ url: other.url, service: 'group', logger }), closeNats)
  let reads = 0
  const source = { ...authSource, listRevocations: async () => ((reads += 1), { revocations }) }
  stack.use(await createTokenVerifier(lone, { logger, source }))
  await other.stop()
  await waitFor(() => !lone.isUp, { what: 'the loss' })
  const before = reads
  await other.start()
  expect(await waitFor(() => lone.isUp && reads > before, { what: 'the reload' })).toBe(true)
})
