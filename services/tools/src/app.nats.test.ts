import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ingestion } from '@youworker/contracts/ingestion'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats } from '@youworker/messaging/connection/connect'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { readEnv } from '@youworker/runtime/process/config'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTools } from './app.ts'
import { Env } from './config.ts'
import { listen } from './listen.ts'
import { ownHosts } from './routes/own-hosts.ts'
import { createToolRoutes } from './routes/tool-routes.ts'
import { datetimeServer } from './servers/datetime-server.ts'
import { semanticServer } from './servers/semantic-server.ts'
import { KnowledgeService } from './services/knowledge-service.ts'

const logger = silentLogger()
const stack = new AsyncDisposableStack()
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }]
const now = () => Date.UTC(2025, 10, 21, 7, 30)
let url: string
let natsUrl: string

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function sign(changed: object = {}): string {
  const iat = Math.floor(Date.now() / 1_000)
  const claims = {
    iss: 'youworker',
    sub: randomUUID(),
    sid: randomUUID(),
    aud: 'run',
    root: false,
    scopes: [],
    jti: randomUUID(),
    iat,
    exp: iat + 300,
  }
  const unsigned = `${part({ alg: 'RS256', kid: 'k1' })}.${part({ ...claims, ...changed })}`
  return `${unsigned}.${createSign('RSA-SHA256').update(unsigned).sign(privateKey, 'base64url')}`
}

beforeAll(async () => {
  const server = stack.use(await testNats())
  natsUrl = server.url
  const nats = stack.adopt(await connectNats({ url: server.url, service: 'tools', logger }), closeNats)
  const source = { listKeys: async () => ({ keys }), listRevocations: async () => ({ revocations: [] }) }
  const verifier = stack.use(await createTokenVerifier(nats, { logger, source }))
  const documents = createClient(nats, ingestion)
  const knowledge = new KnowledgeService({ search: (query, scope) => documents.as(scope).search(query) })
  const servers = [datetimeServer(now), semanticServer(knowledge)]
  const app = createToolRoutes({ servers, hosts: ownHosts('127.0.0.1', 'http://tools.internal:8100'), verifier, logger })
  url = stack.use(await listen(app, { host: '127.0.0.1', port: 0, from: 'port' })).url
}, 60_000)

afterAll(() => stack.disposeAsync())

async function connect(server: string, token = sign()): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  // The SDK's own transport does not fit its interface under exactOptionalPropertyTypes.
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/${server}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  await client.connect(transport as Parameters<Client['connect']>[0])
  return client
}

interface Sent {
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly chunked?: boolean
}

const PING = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })

/** Uses node:http because fetch cannot set `Host`. */
function send({ path = '/datetime/mcp', method = 'POST', headers = {}, body = PING, chunked = false }: Sent) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number
    headers: NodeJS.Dict<string | string[]>
    json: { error?: Record<string, unknown> }
  }>()
  const all = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${sign()}`,
    ...(chunked || method !== 'POST' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  const sending = request(`${url}${path}`, { method, headers: all }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      resolve({ status: response.statusCode ?? 0, headers: response.headers, json: JSON.parse(text || '{}') })
    })
  })
  sending.on('error', reject)
  if (method === 'POST') sending.write(body)
  sending.end()
  return promise
}

test('datetime lists its tools and returns the time', async () => {
  const client = await connect('datetime')
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(['current_datetime', 'convert_time'])
  expect(tools[0]).toMatchObject({ annotations: { readOnlyHint: true, idempotentHint: true }, inputSchema: { type: 'object' } })
  const answer = await client.callTool({ name: 'current_datetime', arguments: { timezone: 'Europe/Rome' } })
  expect(answer.structuredContent).toMatchObject({ datetime: '2025-11-21T08:30:00+01:00', day_of_week: 'Friday' })
  expect(answer.content).toEqual([{ type: 'text', text: expect.stringContaining('Friday 21 November 2025') }])
  await client.close()
})

test('a failed tool call is a result with the reason, not a protocol error', async () => {
  const client = await connect('datetime')
  const zone = await client.callTool({ name: 'current_datetime', arguments: { timezone: 'Mars/Olympus' } })
  expect(zone).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('Europe/Rome') }] })
  expect(await client.callTool({ name: 'current_datetime', arguments: { timezone: 7 } })).toMatchObject({ isError: true })
  await client.close()
})

test('knowledge_search reports that the documents cannot be searched', async () => {
  const client = await connect('semantic')
  const [tool] = (await client.listTools()).tools
  expect(tool).toMatchObject({
    name: 'knowledge_search',
    inputSchema: { required: ['query'] },
    outputSchema: { required: ['results'] },
  })
  const answer = await client.callTool({ name: 'knowledge_search', arguments: { query: 'leave' } })
  expect(answer).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('does not answer at the moment') }] })
  await client.close()
})

test('many calls at once are all answered', async () => {
  const client = await connect('datetime')
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => client.callTool({ name: 'current_datetime', arguments: {} })),
  )
  expect(answers.filter(({ isError }) => isError)).toEqual([])
  await client.close()
})

test('tokens of users and of runs are accepted, nothing else', async () => {
  expect((await send({})).status).toBe(200)
  expect((await send({ headers: { authorization: `Bearer ${sign({ aud: 'api' })}` } })).status).toBe(200)
  const refused = [
    '',
    'Bearer',
    'Bearer nonsense',
    `Basic ${sign()}`,
    `Bearer ${sign({ exp: 1 })}`,
    `Bearer ${sign({ iss: 'other' })}`,
    `Bearer ${sign()}x`,
    `Bearer ${sign({ aud: 'web' })}`,
  ]
  for (const authorization of refused) {
    const { status, headers, json } = await send({ headers: { authorization, 'x-correlation-id': 'seen-1' } })
    expect([authorization, status, json.error?.['code']]).toEqual([authorization, 401, 'NOT_AUTHENTICATED'])
    expect(json.error).toMatchObject({
      message: expect.stringContaining('Not authenticated'),
      type: 'authentication_error',
      correlation_id: 'seen-1',
    })
    expect(headers['www-authenticate']).toBe('Bearer')
  }
})

test('a foreign Host or Origin is refused before anything else', async () => {
  const port = new URL(url).port
  for (const headers of [
    { host: `localhost:${port}` },
    { host: 'tools.internal:8100' },
    { origin: `http://127.0.0.1:${port}` },
  ] as Record<string, string>[]) {
    expect([headers, (await send({ headers })).status]).toEqual([headers, 200])
  }
  for (const headers of [
    { host: 'evil.example' },
    { host: `127.0.0.1.evil.example:${port}` },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ] as Record<string, string>[]) {
    const { status, json } = await send({ headers: { authorization: '', ...headers } })
    expect([headers, status, json.error?.['code']]).toEqual([headers, 403, 'NOT_AUTHORIZED'])
  }
})

test('other methods, other paths, and too large or malformed bodies are refused', async () => {
  for (const method of ['GET', 'DELETE']) {
    expect(await send({ method })).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
      json: { error: { code: 'METHOD_NOT_ALLOWED' } },
    })
  }
  expect(await send({ path: '/nowhere/mcp' })).toMatchObject({ status: 404, json: { error: { code: 'ROUTE_NOT_FOUND' } } })
  for (const chunked of [false, true]) {
    expect(await send({ body: `"${'x'.repeat(300 * 1024)}"`, chunked })).toMatchObject({
      status: 413,
      json: { error: { code: 'PAYLOAD_TOO_LARGE' } },
    })
  }
  for (const body of ['{', '', `[${PING},${PING}]`]) {
    expect(await send({ body })).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_ERROR' } } })
  }
  expect((await send({ body: '{"jsonrpc":"2.0"}' })).status).toBe(400)
  expect((await send({ headers: { 'content-type': 'text/plain' } })).status).toBe(415)
})

test('the service answers 503 while tokens cannot be verified', async () => {
  const config = readEnv(Env, { NATS__URL: natsUrl, TOOLS__PORT: '0' })
  const tools = await startTools(config, { logger })
  const response = await fetch(`${tools.url}/datetime/mcp`, {
    method: 'POST',
    body: PING,
    headers: { authorization: `Bearer ${sign()}` },
  })
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  await tools.readiness.checks['nats']?.()
  await tools[Symbol.asyncDispose]()
})
