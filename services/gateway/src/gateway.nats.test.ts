import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { auth as authContract } from '@youworker/contracts/auth'
import { ErrorBody } from '@youworker/contracts/errors'
import { closeNats, connectNats } from '@youworker/messaging/connection/connect'
import { readEnv } from '@youworker/runtime/process/config'
import { createLogger, silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startGateway } from './app.ts'
import { Env } from './config.ts'
import { ROUTES } from './routes/routes.ts'

const ORIGIN = 'https://app.example.org'
const JSON_TYPE = { 'content-type': 'application/json' }
const ID = '0190a5f0-0000-7000-8000-000000000000'

const { Request: OwnRequest, Response: OwnResponse } = globalThis

let nats: TestNats
let gateway: Awaited<ReturnType<typeof startGateway>>
let api = ''

const start = (env: Record<string, string>, logger = silentLogger()) =>
  startGateway(
    readEnv(Env, {
      NATS__URL: nats.url,
      API__PORT: '0',
      SECURITY__CSRF_SECRET: 'only for this test, long enough',
      FRONTEND_ORIGIN: ORIGIN,
      SECURITY__RATE_LIMITS: 'off',
      SECURITY__OPS_PEERS: '127.0.0.0/8',
      ...env,
    }),
    { logger },
  )

/** Only the gateway runs: every other service is down. */
beforeAll(async () => {
  nats = await testNats()
  gateway = await start({})
  api = `http://127.0.0.1:${gateway.port}`
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

/** Checks what every answer and every error must have. */
async function call(path: string, init: RequestInit = {}, base = api) {
  const answer = await fetch(base + path, { redirect: 'manual', ...init })
  const text = await answer.text()
  const correlationId = answer.headers.get('x-correlation-id')
  expect([path, correlationId]).toEqual([path, expect.stringMatching(/^[A-Za-z0-9._-]{1,64}$/)])
  expect([path, answer.headers.get('x-content-type-options')]).toEqual([path, 'nosniff'])
  const error = answer.status >= 400 && text !== '' ? ErrorBody.parse(JSON.parse(text)).error : undefined
  expect(error?.correlation_id ?? correlationId).toBe(correlationId)
  return { status: answer.status, headers: answer.headers, text, error }
}

/** Sends raw bytes that fetch would not send, and reads until the end of the headers. */
function raw(request: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(gateway.port, '127.0.0.1', () => socket.write(request))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
      if (text.includes('\r\n\r\n')) socket.end()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('every error has the same body', () => {
  test.each([
    ['an unknown path', '/v1/nothing', {}, 404, 'ROUTE_NOT_FOUND'],
    ['an unknown method', '/v1/search', { method: 'GET' }, 405, 'METHOD_NOT_ALLOWED'],
    ['an unusual method', '/v1/groups', { method: 'PROPFIND' }, 405, 'METHOD_NOT_ALLOWED'],
    ['no credential', '/v1/groups', {}, 401, 'NOT_AUTHENTICATED'],
    ['a login without a body', '/v1/auth/login', { method: 'POST' }, 401, 'NOT_AUTHENTICATED'],
    ['bad JSON', '/v1/auth/login', { method: 'POST', body: '{', headers: JSON_TYPE }, 400, 'VALIDATION_ERROR'],
    ['a wrong field', '/v1/auth/login', { method: 'POST', body: '{"username":7}', headers: JSON_TYPE }, 400, 'VALIDATION_ERROR'],
    ['a form', '/v1/auth/login', { method: 'POST', body: new URLSearchParams({ a: 'b' }) }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a compressed body',
      '/v1/auth/login',
      { method: 'POST', body: 'x', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'a body over the limit',
      '/v1/auth/login',
      { method: 'POST', body: `"${'x'.repeat(300_000)}"`, headers: JSON_TYPE },
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    ['NUL in the query', '/docs/a%00b', {}, 400, 'VALIDATION_ERROR'],
    ['a path that is not UTF-8', '/docs/%ff', {}, 400, 'VALIDATION_ERROR'],
    ['an asset that is not one', '/docs/package.json', {}, 404, 'ROUTE_NOT_FOUND'],
    ['HEAD of a stream', `/v1/runs/${ID}/events`, { method: 'HEAD' }, 405, undefined],
  ] as const)('%s', async (_, path, init, status, code) => {
    const answer = await call(path, init)
    expect(answer.status).toBe(status)
    expect(answer.error?.code).toBe(code)
  })

  test('message, type and field of an error', async () => {
    expect((await call('/v1/groups')).error).toMatchObject({
      message: expect.stringContaining('Not authenticated'),
      type: 'authentication_error',
      param: null,
    })
    const wrong = await call('/v1/auth/login', { method: 'POST', body: '{"username":7}', headers: JSON_TYPE })
    expect(wrong.error).toMatchObject({ type: 'invalid_request_error', param: 'username', details: [{ field: 'username' }] })
    expect((await call('/v1/nothing')).error?.type).toBe('not_found_error')
    expect((await call('/v1/groups', { method: 'PROPFIND' })).headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
    expect((await call('/v1/groups')).headers.get('www-authenticate')).toMatch(/^Bearer/)
  })

  test('a body without Content-Length is bounded too', async () => {
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(64 * 1024).fill(32))
      },
    })
    const answer = await call('/v1/auth/login', { method: 'POST', body, headers: JSON_TYPE, duplex: 'half' } as RequestInit)
    expect([answer.status, answer.error?.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
  })

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['an unknown verb', 'BREW / HTTP/1.1\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`, 413],
    ['a proxy request', 'CONNECT example.org:443 HTTP/1.1\r\n\r\n', 405],
    ['a wrong length', 'POST /v1/auth/login HTTP/1.1\r\ncontent-length: 1x\r\n\r\n', 400],
    ['smuggling', 'POST /v1/auth/login HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a host that is none', 'GET /v1/groups HTTP/1.1\r\nhost: a/b\r\n\r\n', 400],
    ['TRACE', 'TRACE /v1/groups HTTP/1.1\r\n\r\n', 405],
    ['an upgrade to nothing we know', 'GET /v1/nothing HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n', 404],
    ['an expectation', 'GET /v1/nothing HTTP/1.1\r\nexpect: tea\r\n\r\n', 404],
    [
      'invalid UTF-8',
      Buffer.concat([
        Buffer.from(`POST /v1/auth/login HTTP/1.1\r\n${'content-type: application/json\r\n'}content-length: 4\r\n\r\n`),
        Buffer.from([0x22, 0xff, 0xfe, 0x22]),
      ]),
      400,
    ],
    ['a raw byte in the path', Buffer.from('GET /docs/\xff HTTP/1.1\r\n\r\n', 'latin1'), 400],
  ] as const)('%s', async (_, request, status) => {
    const [head = '', body = ''] = (await raw(request)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head.toLowerCase()).toContain('x-correlation-id: ')
    expect(ErrorBody.parse(JSON.parse(body)).error.correlation_id).not.toBe('')
  })
})

describe('a service that is down', () => {
  const signIn = { method: 'POST', body: JSON.stringify({ api_key: 'k' }), headers: JSON_TYPE }

  test('is 503 with Retry-After', async () => {
    const answer = await call('/v1/auth/login', signIn)
    expect([answer.status, answer.error?.code]).toEqual([503, 'SERVICE_UNAVAILABLE'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  })

  test('every route that needs a caller refuses before anything else, and needs auth for a key', async () => {
    const closed = ROUTES.filter(({ auth }) => auth === 'required')
    expect(closed.length).toBeGreaterThan(30)
    const refusals = closed.map(async ({ method, path }) => {
      const url = path.replaceAll(/\{\w+\}/g, ID)
      expect([method, path, (await call(url, { method })).status]).toEqual([method, path, 401])
      const answer = await call(url, { method, headers: { 'x-api-key': 'some-key' } })
      expect([method, path, answer.status, answer.error?.code]).toEqual([method, path, 503, 'SERVICE_UNAVAILABLE'])
    })
    await Promise.all(refusals)
  })

  test('health reports it', async () => {
    expect(await call('/health/live')).toMatchObject({ status: 200 })
    expect(await call('/api/v1/health/live')).toMatchObject({ status: 200 })
    const components = { nats: { status: 'ok' }, keys: { status: 'down' }, auth: { status: 'down' } }
    await vi.waitFor(
      async () => {
        const ready = await fetch(`${api}/health/ready`)
        expect([ready.status, await ready.json()]).toMatchObject([503, { components }])
      },
      { timeout: 20_000 },
    )
    // Nothing but the state is for everybody.
    expect(JSON.parse((await call('/health')).text)).toEqual({ status: 'down', timestamp: expect.any(String) })
    const detailed = JSON.parse((await call('/health/detailed')).text)
    expect(detailed).toMatchObject({
      status: 'degraded',
      components: { ingestion: { status: 'down' }, gateway: { dependencies: { nats: { status: 'ok' } } } },
    })
  })
})

describe('browsers', () => {
  test('a preflight from an allowed origin', async () => {
    const ask = { origin: ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-csrf-token' }
    const { status, headers } = await call('/v1/chat', { method: 'OPTIONS', headers: ask })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    for (const name of [
      'content-type',
      'authorization',
      'x-api-key',
      'x-csrf-token',
      'x-correlation-id',
      'x-authentik-api-key',
      'x-authentik-username',
      'idempotency-key',
      'last-event-id',
    ]) {
      expect(headers.get('access-control-allow-headers')?.split(', ')).toContain(name)
    }
  })

  test('errors carry CORS headers, other origins none', async () => {
    expect((await call('/v1/groups', { headers: { origin: ORIGIN } })).headers.get('access-control-allow-origin')).toBe(ORIGIN)
    for (const origin of ['https://evil.example.org', `${ORIGIN}.evil.org`, 'null', 'https://APP.example.org']) {
      const { headers } = await call('/v1/groups', { headers: { origin } })
      expect([origin, headers.get('access-control-allow-origin')]).toEqual([origin, null])
      expect(headers.get('vary')).toContain('Origin')
    }
  })

  test('a content type without a body is accepted', async () => {
    expect((await call('/health/live', { headers: JSON_TYPE })).status).toBe(200)
    expect((await call('/v1/auth/auto-login', { method: 'POST', headers: JSON_TYPE })).error?.code).toBe('NOT_AUTHENTICATED')
  })

  test('an anonymous caller may get a CSRF token and sign out', async () => {
    const csrf = await call('/v1/auth/csrf-token')
    expect(JSON.parse(csrf.text)).toEqual({ csrf_token: expect.any(String), expires_at: expect.any(String) })
    expect(csrf.headers.get('set-cookie')).toMatch(/^youworker_csrf=[\w.-]+; Max-Age=\d+; Path=\/; SameSite=Strict$/)
    expect(csrf.headers.get('cache-control')).toBe('no-store')
    const out = await call('/v1/auth/logout', { method: 'POST' })
    expect(out.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^youworker_token=; Max-Age=0; Path=\/; HttpOnly; SameSite=Lax$/),
      expect.stringMatching(/^youworker_csrf=; Max-Age=0; Path=\/; SameSite=Strict$/),
    ])
  })

  test.each(['/docs', '/redoc'])('%s loads nothing from another host, and its files may be kept for ever', async (path) => {
    const page = await call(path)
    expect(page.text).not.toMatch(/https?:|<script>|style=/)
    expect(page.headers.get('content-security-policy')).not.toMatch(/unsafe|https?:|\*/)
    const assets = Array.from(page.text.matchAll(/(?:src|href)="([^"]+)"/g), ([, asset = '']) => asset)
    expect(assets.length).toBeGreaterThan(1)
    for (const asset of assets) {
      const answer = await fetch(api + asset)
      expect([asset, answer.status, answer.headers.get('cache-control')]).toEqual([
        asset,
        200,
        expect.stringContaining('immutable'),
      ])
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(50)
      // As a gateway of another version is asked for it while both run.
      const other = await fetch(api + asset.replace(/[0-9a-f]{16}/, '0'.repeat(16)))
      expect([other.status, other.headers.get('cache-control')]).toEqual([200, 'no-cache'])
    }
    expect(JSON.parse((await call('/openapi.json')).text)).toMatchObject({ openapi: '3.1.0' })
  })

  test('what does not change is compressed for those who take that, and not sent to those who have it', async () => {
    const ask = (headers: Record<string, string>) => call('/openapi.json', { headers })
    const plain = await ask({ 'accept-encoding': 'identity' })
    expect(plain.headers.get('content-encoding')).toBeNull()
    for (const coding of ['gzip', 'br, GZIP;q=0.5', '*']) {
      const small = await ask({ 'accept-encoding': coding })
      expect([small.headers.get('content-encoding'), small.headers.get('vary')]).toEqual(['gzip', 'Origin, Accept-Encoding'])
      expect(Number(small.headers.get('content-length'))).toBeLessThan(plain.text.length / 4)
      expect(small.text).toBe(plain.text)
    }
    for (const coding of ['gzip;q=0', 'br', '*, gzip;q=0', ';;,,=', '']) {
      expect([coding, (await ask({ 'accept-encoding': coding })).headers.get('content-encoding')]).toEqual([coding, null])
    }
    const etag = plain.headers.get('etag') ?? ''
    for (const known of [etag, etag.replace('W/', ''), `"other", ${etag}`, '*'])
      expect([known, (await ask({ 'if-none-match': known })).status]).toEqual([known, 304])
    expect((await ask({ 'if-none-match': '"other"' })).status).toBe(200)
  })
})

test('a valid correlation id is kept, an invalid one replaced', async () => {
  const send = async (id: string) =>
    (await call('/v1/nothing', { headers: { 'x-correlation-id': id } })).headers.get('x-correlation-id')
  expect(await send('my.trace_1-2')).toBe('my.trace_1-2')
  for (const bad of ['with blank', 'x'.repeat(65), 'a/b', 'é']) expect(await send(bad)).not.toBe(bad)
})

test('aliases and a slash at the end lead to the same route', async () => {
  for (const path of ['/api/v1/groups', '/v1/groups/', '/v1/chat/sessions', '/api/v1/chat/sessions', `/v1/chat/sessions/${ID}`]) {
    expect([path, (await call(path)).status]).toEqual([path, 401])
  }
  expect((await call('/api/v2/groups')).status).toBe(404)
  expect((await raw('GET http://elsewhere/v1/groups HTTP/1.1\r\n\r\n')).slice(0, 12)).toBe('HTTP/1.1 401')
})

test('OPTIONS lists the methods of a path', async () => {
  expect((await call(`/v1/runs/${ID}/events`, { method: 'OPTIONS' })).headers.get('allow')).toBe('GET, OPTIONS')
  expect((await call('/health/live', { method: 'OPTIONS' })).headers.get('allow')).toBe('GET, HEAD, OPTIONS')
  expect((await call('/v1/nothing', { method: 'OPTIONS' })).status).toBe(404)
  expect((await raw('OPTIONS * HTTP/1.1\r\n\r\n')).slice(0, 12)).toBe('HTTP/1.1 204')
})

test('the rest of this process keeps node’s Request and Response', () => {
  expect(globalThis.Request).toBe(OwnRequest)
  expect(globalThis.Response).toBe(OwnResponse)
})

describe('health details and metrics are for listed peers', () => {
  const OPS = ['/health/detailed', '/v1/health/detailed', '/api/v1/health/detailed', '/metrics']
  const statuses = (base: string, headers: Record<string, string> = {}) =>
    Promise.all(OPS.map(async (path) => (await call(path, { headers }, base)).status))
  const all = (status: number) => OPS.map(() => status)

  test('a peer on this machine, but not through a proxy that nobody trusts', async () => {
    expect((await call('/metrics')).text).toContain('http_request_duration_seconds')
    expect(await statuses(api)).toEqual(all(200))
    for (const [name, value] of [
      ['x-forwarded-for', '1.2.3.4'],
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-for', ''],
      ['forwarded', 'for=127.0.0.1'],
      ['x-real-ip', '127.0.0.1'],
      ['x-forwarded-proto', 'https'],
      ['via', '1.1 proxy'],
    ] as const)
      expect([name, value, await statuses(api, { [name]: value })]).toEqual([name, value, all(401)])
  })

  test('behind a trusted proxy the address of the client counts', async () => {
    await using proxied = await start({ SECURITY__TRUSTED_PROXIES: '127.0.0.1', SECURITY__OPS_PEERS: '127.0.0.1,10.9.9.9' })
    const base = `http://127.0.0.1:${proxied.port}`
    expect(await statuses(base, { 'x-forwarded-for': '10.9.9.9' })).toEqual(all(200))
    expect(await statuses(base, { 'x-forwarded-for': '203.0.113.5' })).toEqual(all(401))
    expect(await statuses(base, { 'x-forwarded-for': '10.9.9.9, 203.0.113.5' })).toEqual(all(401))
    // The proxy itself is listed, those whom it does not name are not.
    for (const unnamed of ['127.0.0.1', 'unknown', ''])
      expect([unnamed, await statuses(base, { 'x-forwarded-for': unnamed })]).toEqual([unnamed, all(401)])
    expect(await statuses(base, { forwarded: 'for=10.9.9.9' })).toEqual(all(401))
    expect(await statuses(base)).toEqual(all(200))
  })

  test('nobody, when no peer is listed', async () => {
    await using closed = await start({ SECURITY__OPS_PEERS: '' })
    expect(await statuses(`http://127.0.0.1:${closed.port}`)).toEqual(all(401))
  })
})

describe('WebSockets are refused in HTTP', () => {
  const refused = (path: string, headers: Record<string, string> = {}, protocols: string[] = []) =>
    new Promise<{ status: number | undefined; code: string }>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, protocols, { headers })
      socket.on('open', () => reject(new Error('it opened')))
      socket.on('error', () => undefined)
      socket.on('unexpected-response', (_, answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
        answer.on('end', () => resolve({ status: answer.statusCode, code: ErrorBody.parse(JSON.parse(text)).error.code }))
      })
    })

  test.each([
    ['without a credential', '/v1/ws/chat/x', {}, [], 401],
    ['from a foreign page', '/v1/ws/chat/x', { origin: 'https://evil.example.org', 'x-api-key': 'k' }, [], 403],
    ['at an unknown path', '/v1/ws/other', {}, [], 404],
    ['with a forged token', '/chat/x', { origin: ORIGIN }, ['bearer', 'a.b.c'], 401],
    ['while auth is down', '/api/v1/ws/chat/x', { 'x-api-key': 'k' }, [], 503],
  ] as const)('%s', async (_, path, headers, protocols, status) => {
    expect((await refused(path, { ...headers }, [...protocols])).status).toBe(status)
  })
})

test('limits of anonymous clients count per address', async () => {
  await using limited = await start({ SECURITY__RATE_LIMITS: 'on', SECURITY__TRUSTED_PROXIES: '127.0.0.1' })
  const base = `http://127.0.0.1:${limited.port}`
  const from = (address: string) => call('/v1/auth/login', { method: 'POST', headers: { 'x-forwarded-for': address } }, base)
  const first = await from('2001:db8::1')
  expect(first.headers.get('x-ratelimit-limit')).toBe('10')
  expect(first.headers.get('x-ratelimit-remaining')).toBe('9')
  for (let i = 0; i < 9; i++) await from(`2001:db8::${i}`)
  const refused = await from('2001:db8::ffff')
  expect([refused.status, refused.error?.code, refused.error?.type]).toEqual([429, 'RATE_LIMIT_EXCEEDED', 'rate_limit_error'])
  expect(refused.headers.get('retry-after')).toBe('6')
  expect(refused.headers.get('x-ratelimit-remaining')).toBe('0')
  expect((await from('2001:db8:0:1::1')).status).toBe(401)
})

test('a proxy that is not trusted shows in the log once and in health', async () => {
  const lines: string[] = []
  const logger = createLogger({ name: 'gateway', write: (line) => void lines.push(line) })
  const warnings = () => lines.filter((line) => line.includes('SECURITY__TRUSTED_PROXIES'))
  const behind = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  const hints = async (base: string) => JSON.parse((await call('/health/detailed', {}, base)).text).hints
  {
    await using forgotten = await start({}, logger)
    const base = `http://127.0.0.1:${forgotten.port}`
    expect(await hints(base)).toBeUndefined()
    for (let n = 0; n < 3; n += 1) await call('/health/live', behind, base)
    expect(warnings()).toEqual([expect.stringContaining('Set SECURITY__TRUSTED_PROXIES to 127.0.0.1')])
    expect(await hints(base)).toEqual([expect.stringContaining('Set SECURITY__TRUSTED_PROXIES to 127.0.0.1')])
  }
  lines.length = 0
  {
    await using trusting = await start({ SECURITY__TRUSTED_PROXIES: '127.0.0.1' }, logger)
    const base = `http://127.0.0.1:${trusting.port}`
    await call('/health/live', behind, base)
    expect([warnings(), await hints(base)]).toEqual([[], undefined])
  }
  await using production = await start(
    { APP_ENV: 'production', SECURITY__CSRF_SECRET: randomBytes(32).toString('base64url'), SECURITY__RATE_LIMITS: 'on' },
    logger,
  )
  expect(production.port).toBeGreaterThan(0)
  expect(warnings()).toHaveLength(1)
})

describe('an allow-list', () => {
  let closed: Awaited<ReturnType<typeof start>>
  let base = ''
  beforeAll(async () => {
    closed = await start({ SECURITY__WHITELISTED_IPS: '10.0.0.0/8', SECURITY__TRUSTED_PROXIES: '127.0.0.1' })
    base = `http://127.0.0.1:${closed.port}`
  })
  afterAll(() => closed[Symbol.asyncDispose]())
  const LISTED = { 'x-forwarded-for': '10.1.2.3' }
  const FOR_LOAD_BALANCERS = ['/health/live', '/health/ready']

  test('refuses other addresses on every route, under each of its paths, and serves its own', async () => {
    const paths = ROUTES.flatMap(({ method, path, aliases }) => [path, ...aliases].map((each) => [method, each, path] as const))
    expect(paths.length).toBeGreaterThan(50)
    for (const [method, path, canonical] of paths) {
      const url = path.replaceAll(/\{\w+\}/g, ID)
      const spellings = [url, `${url}/`, ...(url.startsWith('/v1/') ? [`/api${url}`] : [])]
      if (FOR_LOAD_BALANCERS.includes(canonical)) {
        for (const each of spellings) expect([each, (await fetch(base + each)).status]).not.toEqual([each, 403])
        continue
      }
      for (const each of spellings) {
        const { status, error } = await call(each, { method }, base)
        expect([method, each, status, error?.code]).toEqual([method, each, 403, 'NOT_AUTHORIZED'])
      }
      const { error } = await call(url, { method, headers: LISTED }, base)
      expect([method, path, error?.code]).not.toEqual([method, path, 'NOT_AUTHORIZED'])
    }
  })

  test.each([
    ['an unknown path', '/v1/nothing', 'GET', {}],
    ['an unknown method', '/v1/groups', 'PROPFIND', {}],
    ['OPTIONS', '/v1/groups', 'OPTIONS', {}],
    ['OPTIONS of what load balancers ask', '/health/live', 'OPTIONS', {}],
    ['a preflight', '/v1/chat', 'OPTIONS', { origin: ORIGIN, 'access-control-request-method': 'POST' }],
    ['another method there', '/health/live', 'POST', {}],
    ['HEAD', '/openapi.json', 'HEAD', {}],
    ['a path that climbs', '/health/live/../../openapi.json', 'GET', {}],
    ['an encoded path', '/health/live%2f..%2f..%2fopenapi.json', 'GET', {}],
  ])('refuses %s', async (_, path, method, headers) => {
    expect((await call(path, { method, headers }, base)).status).toBe(403)
  })

  test('refuses an upgrade before it says anything else', async () => {
    for (const path of ['/v1/ws/chat/x', '/v1/ws/other']) {
      const socket = new WebSocket(`ws://127.0.0.1:${closed.port}${path}`)
      const status = await new Promise((resolve) => {
        socket.on('error', () => undefined).on('unexpected-response', (_request, answer) => resolve(answer.statusCode))
      })
      expect([path, status]).toEqual([path, 403])
    }
  })
})

describe('the time of a request', () => {
  const IMPATIENT = { API__DEADLINE_MS: '1000' }
  const WITH_KEY = { 'x-api-key': 'some-key' }

  test('is over with 504 and the truth, however long a part of it may take', async () => {
    await using impatient = await start(IMPATIENT)
    await using auth = await silentService(authContract.exchangeCredential.subject)
    const base = `http://127.0.0.1:${impatient.port}`
    const read = await call('/v1/groups', { headers: WITH_KEY }, base)
    expect([read.status, read.error?.code, read.error?.message]).toEqual([
      504,
      'DEADLINE_EXCEEDED',
      expect.stringContaining('within 1 s; try again'),
    ])
    expect(read.headers.get('retry-after')).toBe('1')
    const write = await call('/v1/groups', { method: 'POST', headers: { ...WITH_KEY, 'idempotency-key': 'k' } }, base)
    expect([write.status, write.error?.message]).toEqual([
      504,
      expect.stringContaining('repeat it with the same Idempotency-Key'),
    ])
    const upgrade = new WebSocket(`${base.replace('http', 'ws')}/v1/ws/chat/x`, { headers: WITH_KEY })
    upgrade.on('error', () => undefined)
    const [, answer] = await once(upgrade, 'unexpected-response')
    expect(answer.statusCode).toBe(504)
    expect(auth.received).toBeGreaterThan(0)
  })

  test('stands still while the client sends its body', async () => {
    await using impatient = await start(IMPATIENT)
    const sending = request({ port: impatient.port, method: 'POST', path: '/v1/auth/login', headers: JSON_TYPE })
    sending.write('{"username":')
    await sleep(1_500)
    sending.end('"ada"}')
    const [answer] = await once(sending, 'response')
    expect(answer.statusCode).toBe(401)
    answer.resume()
  })

  test('ends when the client leaves: nothing more is begun for it', async () => {
    await using auth = await silentService(authContract.createSession.subject)
    await using keys = await silentService(authContract.listKeys.subject)
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const signIn = (signal?: AbortSignal) => {
      const body = JSON.stringify({ username: 'ada', password: 'long enough' })
      return fetch(`${api}/v1/auth/login`, { method: 'POST', headers: JSON_TYPE, body, ...(signal ? { signal } : {}) })
    }
    const leaving = new AbortController()
    const left = signIn(leaving.signal).catch(() => 'left')
    await waitFor(() => keys.received > 0, { what: 'the first part of a sign-in' })
    leaving.abort()
    expect(await left).toBe('left')
    await sleep(100)
    const stays = signIn().catch(() => undefined)
    await waitFor(() => keys.received > 1, { what: 'the first part of another one' })
    keys.answer({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] })
    // The session of the one who left would have been asked for first.
    await waitFor(() => auth.received > 0, { what: 'the session of the one who stays' })
    await sleep(100)
    expect(auth.received).toBe(1)
    auth.answer({})
    await stays
  })
})

/** Receives requests, and answers none before it is told what. */
async function silentService(subject: string) {
  const connection = await connectNats({ url: nats.url, service: 'silent', logger: silentLogger() })
  const messages: { respond(data: string): unknown }[] = []
  connection.core.subscribe(subject, { callback: (_, message) => void messages.push(message) })
  await connection.core.flush()
  return {
    get received() {
      return messages.length
    },
    answer: (body: unknown) => messages.forEach((message) => message.respond(JSON.stringify(body))),
    [Symbol.asyncDispose]: () => closeNats(connection),
  }
}

test('a stop answers the requests under way and accepts no new ones', async () => {
  const stopping = await start({})
  const base = `http://127.0.0.1:${stopping.port}`
  const underWay = fetch(`${base}/health/detailed`)
  const idle = await fetch(`${base}/health/live`)
  await idle.text()
  await stopping[Symbol.asyncDispose]()
  expect((await underWay).status).toBe(200)
  await expect(fetch(`${base}/health/live`)).rejects.toThrow('fetch failed')
})
