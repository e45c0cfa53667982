import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createLogger } from '@youworker/runtime/logger'
import { expect, test } from 'vitest'
import { type FetchOptions, GuardedFetcher } from './guarded-fetcher.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
/** For localhost, signed by itself, until 2126. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUTH9g3X/F90EUC6f2NmbYnZZCJlowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDE5NDg1OVoYDzIxMjYxMTA2
MTk0ODU5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATOM+WU9D9txj7gW/HDGXx/ke6voi+STTo2P1PXY0DdZSR2TgnMBi9j
MEiJ++4DBAlI5ME12dQzp3LFHWDMvLI9o1MwUTAdBgNVHQ4EFgQUzGshU8J6o15X
Yjo9QilTzZBSHbAwHwYDVR0jBBgwFoAUzGshU8J6o15XYjo9QilTzZBSHbAwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA+0YkI2TfJ0NkhLdyPQ1n
TbTQzoEyBV0LbWaRM0+FVrMCIHwobWBXJ92V5uiYQqddCnO2pQ3meKitvyWNtfOu
O5sK
-----END CERTIFICATE-----`
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6yWXP+dGMAvITn5K
EjonDv1iG+fnXr6tFb056dHE59mhRANCAATOM+WU9D9txj7gW/HDGXx/ke6voi+S
TTo2P1PXY0DdZSR2TgnMBi9jMEiJ++4DBAlI5ME12dQzp3LFHWDMvLI9
-----END PRIVATE KEY-----`

const never = new AbortController().signal

async function listen(server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}

async function siteOf(serve: RequestListener) {
  const server = createServer(serve)
  const { port } = await listen(server)
  const fetcher = new GuardedFetcher({ allow: [`127.0.0.1:${port}`], refuse: [], closedPorts: [], dnsServers: [], logger })
  const get = async (path = '/', options: Partial<FetchOptions> = {}) => {
    const all = { maxBytes: 3_000_000, timeoutMs: 30_000, signal: never, ...options }
    await using answer = await fetcher.get(`http://127.0.0.1:${port}${path}`, all)
    const parts: Buffer[] = []
    for await (const part of answer.body) parts.push(part)
    return { status: answer.status, url: answer.url.href, bytes: Buffer.concat(parts) }
  }
  const end = async () => {
    server.close()
    server.closeAllConnections()
  }
  return { get, port, [Symbol.asyncDispose]: end }
}

const failsWith = (code: string, text: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(text) as string })

test('every usual encoding is decoded; others are refused', async () => {
  const text = Buffer.from('a page, and another one. '.repeat(1_000))
  const encoded = {
    gzip: gzipSync(text),
    deflate: deflateSync(text),
    br: brotliCompressSync(text),
    zstd: zstdCompressSync(text),
    identity: text,
  }
  await using site = await siteOf((request, response) => {
    const encoding = request.url?.slice(1) ?? ''
    const bytes = Object.entries(encoded).find(([name]) => name === encoding)?.[1] ?? text
    response.writeHead(200, { 'content-encoding': encoding }).end(bytes)
  })
  for (const encoding of Object.keys(encoded)) expect((await site.get(`/${encoding}`)).bytes.equals(text), encoding).toBe(true)
  await expect(site.get('/compress')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /encoding/))
  await expect(site.get('/gzip,gzip')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /encoding/))
})

test('a body may be read long after its connection has closed', async () => {
  const closed = Promise.withResolvers<void>()
  const server = createServer((_request, response) => {
    response.socket?.once('close', closed.resolve)
    response.end('a short page')
  })
  await using site = await listen(server)
  const fetcher = new GuardedFetcher({ allow: ['127.0.0.1'], refuse: [], closedPorts: [], dnsServers: [], logger })
  await using answer = await fetcher.get(`http://127.0.0.1:${site.port}/`, { maxBytes: 100, timeoutMs: 9_000, signal: never })
  await closed.promise
  await sleep(50)
  let text = ''
  for await (const part of answer.body) text += part.toString()
  expect(text).toBe('a short page')
})

test('a body that is too long, expands like a bomb or breaks off fails', async () => {
  const zeros = Buffer.alloc(50_000_000)
  await using site = await siteOf((request, response) => {
    if (request.url === '/declared') response.writeHead(200, { 'content-length': 3_000_001 }).end()
    else if (request.url === '/endless') {
      const more = () => void (response.write(Buffer.alloc(100_000)) ? setImmediate(more) : response.once('drain', more))
      more()
    } else if (request.url === '/bomb') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(zeros))
    else if (request.url === '/dense')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1_000_000)))
    else if (request.url === '/cut') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(zeros).subarray(0, 100))
    else response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy())
  })
  await expect(site.get('/declared')).rejects.toThrow(failsWith('PAYLOAD_TOO_LARGE', /2 MB/))
  await expect(site.get('/endless')).rejects.toThrow(failsWith('PAYLOAD_TOO_LARGE', /2 MB/))
  await expect(site.get('/bomb', { maxBytes: 100_000_000 })).rejects.toThrow(failsWith('PAYLOAD_TOO_LARGE', /expands/))
  expect((await site.get('/dense')).bytes).toHaveLength(1_000_000)
  await expect(site.get('/cut')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /did not answer/))
  await expect(site.get('/half')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /did not answer/))
})

test('a site that is silent, slow without end, long of headers or absent fails in time', async () => {
  let drips = 0
  await using site = await siteOf((request, response) => {
    if (request.url === '/silent') return
    if (request.url === '/headers') return void response.writeHead(200, { 'x-long': 'a'.repeat(20_000) }).end()
    if (request.url === '/upgrade') return void response.writeHead(101, { upgrade: 'websocket', connection: 'upgrade' }).end()
    if (request.url === '/pause') return void response.write('half')
    const drip = setInterval(() => response.write(`${(drips += 1)}`), 20)
    response.once('close', () => clearInterval(drip))
  })
  await expect(site.get('/silent', { idleMs: 100 })).rejects.toThrow(
    failsWith('EXTERNAL_SERVICE_ERROR', /no byte came for 0.1 s/),
  )
  await expect(site.get('/pause', { idleMs: 100 })).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /no byte came for 0.1 s/))
  await expect(site.get('/drip', { idleMs: 5_000, timeoutMs: 300 })).rejects.toThrow(
    failsWith('EXTERNAL_SERVICE_ERROR', /too long/),
  )
  await expect(site.get('/silent', { timeoutMs: 200 })).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /too long/))
  await expect(site.get('/headers')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /HEADER/))
  await expect(site.get('/upgrade')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /closed|did not answer/))
  const { port } = site
  await site[Symbol.asyncDispose]()
  const fetcher = new GuardedFetcher({ allow: [`127.0.0.1:${port}`], refuse: [], closedPorts: [], dnsServers: [], logger })
  const away = fetcher.get(`http://127.0.0.1:${port}/`, { maxBytes: 1, timeoutMs: 5_000, signal: never })
  await expect(away).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /ECONNREFUSED/))
})

test('who cancels gets the own reason, and the connection ends', async () => {
  const closed = Promise.withResolvers<void>()
  await using site = await siteOf((_request, response) => {
    response.write('a')
    response.once('close', closed.resolve)
  })
  const cancel = new AbortController()
  const getting = site.get('/', { signal: cancel.signal })
  void sleep(100).then(() => cancel.abort(new Error('cancelled by its user')))
  await expect(getting).rejects.toThrow('cancelled by its user')
  await closed.promise
})

test('redirects are followed five times and only where the caller lets them', async () => {
  await using site = await siteOf((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end()
    else response.end('at the end')
  })
  expect(await site.get('/5')).toMatchObject({ status: 200, url: `http://127.0.0.1:${site.port}/0` })
  await expect(site.get('/6')).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /more than 5 times/))
  await expect(site.get('/2', { mayFollow: ({ pathname }) => pathname !== '/0' })).rejects.toThrow(
    failsWith('VALIDATION_ERROR', /may not/),
  )
})

test('what an operator allows is open, with its port and nothing else; refused ranges and cloud metadata never are', async () => {
  const server = createServer((_request, response) => response.end('inside'))
  await using site = await listen(server)
  const get = async (
    url: string,
    allow: readonly string[],
    refuse: readonly string[] = [],
    closedPorts: readonly number[] = [],
  ) => {
    const fetcher = new GuardedFetcher({ allow, refuse, closedPorts, dnsServers: ['127.0.0.1:9'], logger })
    await using answer = await fetcher.get(url, { maxBytes: 100, timeoutMs: 5_000, signal: never })
    return answer.status
  }
  const url = `http://127.0.0.1:${site.port}/`
  const named = `http://localhost:${site.port}/`
  for (const entry of ['127.0.0.1', '127.0.0.0/8', `127.0.0.1:${site.port}`, `127.0.0.0/8:${site.port}`]) {
    expect(await get(url, [entry]), entry).toBe(200)
  }
  for (const entry of ['localhost', 'LocalHost', `localhost:${site.port}`]) expect(await get(named, [entry]), entry).toBe(200)
  const refused = failsWith('VALIDATION_ERROR', /no public site/)
  for (const entry of ['127.0.0.2', `127.0.0.1:${site.port + 1}`, 'localhost', '10.0.0.0/8']) {
    await expect(get(url, [entry]), entry).rejects.toThrow(refused)
  }
  // A closed port opens only by name of the port.
  await expect(get(url, ['127.0.0.1'], [], [site.port])).rejects.toThrow(refused)
  expect(await get(url, [`127.0.0.1:${site.port}`], [], [site.port])).toBe(200)
  await expect(get('http://169.254.169.254/', ['169.254.0.0/16'])).rejects.toThrow(refused)
  await expect(get('http://168.63.129.16/', ['168.63.129.16'])).rejects.toThrow(refused)
  await expect(get('http://93.184.215.14:1/', [], ['93.184.0.0/16'])).rejects.toThrow(refused)
  await expect(get('http://93.184.215.14:25/', [])).rejects.toThrow(refused)
  await expect(get('http://user:secret@localhost/', ['localhost'])).rejects.toThrow(failsWith('VALIDATION_ERROR', /password/))
})

test('a certificate that nobody vouches for is refused', async () => {
  const server = createSecureServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.end('secret'))
  await using site = await listen(server)
  const fetcher = new GuardedFetcher({ allow: ['localhost'], refuse: [], closedPorts: [], dnsServers: [], logger })
  const getting = fetcher.get(`https://localhost:${site.port}/`, { maxBytes: 100, timeoutMs: 10_000, signal: never })
  await expect(getting).rejects.toThrow(failsWith('EXTERNAL_SERVICE_ERROR', /CERT/))
})
