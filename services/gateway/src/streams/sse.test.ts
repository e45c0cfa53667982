import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { metrics } from '@youworker/runtime/health/metrics'
import { silentLogger } from '@youworker/runtime/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RequestContext } from '../http/request-context.ts'
import { KnownDevices } from '../http/guards/known-device.ts'
import { TrustedProxies } from '../http/guards/trusted-proxies.ts'
import { securityHeaders } from '../http/security-headers.ts'
import { entryFrame } from '../web-socket/chat-frames.ts'
import { OpenStreams } from './open-streams.ts'
import { eventFrame, SseStream } from './sse.ts'

const settings = {
  securityHeaders: securityHeaders(false),
  origins: new Set<string>(),
  proxies: new TrustedProxies([], silentLogger()),
  devices: new KnownDevices('a secret'),
  deadlineMs: 10_000,
  stallMs: 30_000,
}
const caller = { user_id: 'u', sid: 's', is_root: false, scopes: [], aud: 'api', token: 't' } as const
const streams = new OpenStreams()
let stallMs = settings.stallMs
let opened = Promise.withResolvers<SseStream>()

const server = createServer((incoming, outgoing) => {
  const context = new RequestContext(incoming, outgoing, { ...settings, stallMs })
  context.identity = { caller, credential: { kind: 'jwt', secret: 't' } }
  const stream = new SseStream(context, streams)
  stream.begin()
  opened.resolve(stream)
})
beforeEach(async () => {
  stallMs = settings.stallMs
  opened = Promise.withResolvers()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function connect(): Promise<{ stream: SseStream; answer: IncomingMessage }> {
  opened = Promise.withResolvers()
  const client = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).end()
  const [answer] = (await once(client, 'response')) as [IncomingMessage]
  answer.on('error', () => undefined)
  return { stream: await opened.promise, answer }
}

/** What waits in this process for clients. */
const heldBytes = async () => (await metrics.streamHeldBytes.get()).values.reduce((sum, { value }) => sum + value, 0)
const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))

const textOf = async (answer: IncomingMessage) => {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}

test('frames, then the end', async () => {
  const { stream, answer } = await connect()
  stream.send(eventFrame('token', { text: 'line one\nline two 🙂' }, 1_000_001))
  stream.send(eventFrame('status', { stage: 'reconnecting' }))
  stream[Symbol.dispose]()
  expect(await textOf(answer)).toBe(
    'retry: 1000\n\nid: 1000001\nevent: token\ndata: {"text":"line one\\nline two 🙂"}\n\nevent: status\ndata: {"stage":"reconnecting"}\n\n',
  )
})

test('when another gateway takes over, a stream ends once it can be resumed, and its connection with it', async () => {
  const { stream, answer } = await connect()
  streams.move()
  expect(stream.signal.aborted).toBe(false)
  stream.send(eventFrame('status', { stage: 'reconnecting' }), { passing: true })
  expect(stream.signal.aborted).toBe(false)
  stream.send(eventFrame('run', { run_id: 'r' }, 1_000_001))
  stream.send(eventFrame('token', { text: 'not sent any more' }, 1_000_002))
  expect(stream.signal.aborted).toBe(true)
  expect(answer.headers.connection).toBe('close')
  expect(await textOf(answer)).toMatch(/\nid: 1000001\nevent: run\ndata: [^\n]*\n\nretry: \d{3,4}\n\n$/)
})

/** Sends as a reader of runs does: nothing more while the stream is full. */
async function sendUntilFull(stream: SseStream) {
  const frame = eventFrame('token', { text: 'x'.repeat(8 * 1024) })
  while (!stream.isFull) {
    stream.send(frame)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('little is kept for a client that does not read, and it is disconnected', async () => {
  stallMs = 200
  const { stream, answer } = await connect()
  answer.pause()
  await sendUntilFull(stream)
  const drained = stream.drained()
  expect(await heldBytes()).toBeLessThan(128 * 1024)
  await drained
  expect(stream.signal.aborted).toBe(true)
  expect(await heldBytes()).toBe(0)
})

test('one that ended, and whose client does not read the rest, is disconnected', async () => {
  stallMs = 200
  const { stream, answer } = await connect()
  answer.pause()
  await sendUntilFull(stream)
  stream[Symbol.dispose]()
  await expect.poll(() => connections(), { timeout: 30_000 }).toBe(0)
})

test('a large frame is sent as it is read, whole', async () => {
  const { stream, answer } = await connect()
  // A piece of it must not end between the two halves of a character.
  const frame = eventFrame('token', { text: `x${'🙂'.repeat(4 * 1024 * 1024)}` })
  stream.send(frame)
  expect(stream.isFull).toBe(true)
  const drained = stream.drained()
  const [text] = await Promise.all([textOf(answer.setEncoding('utf8')), drained.then(() => stream[Symbol.dispose]())])
  expect(text.endsWith(frame)).toBe(true)
})

test('a stream that is not whole ends as a broken connection', async () => {
  const { stream, answer } = await connect()
  stream.isWhole = false
  stream.send(eventFrame('token', { text: 'the beginning' }))
  await once(answer, 'readable')
  stream[Symbol.dispose]()
  await expect(textOf(answer)).rejects.toThrow('aborted')
})

test('a slow client is waited for between pages', async () => {
  const { stream, answer } = await connect()
  let pages = 0
  const writing = (async () => {
    for (; pages < 40; pages++) {
      stream.send(eventFrame('token', { text: 'x'.repeat(256 * 1024) }))
      await stream.drained()
    }
    stream[Symbol.dispose]()
  })()
  answer.pause()
  let before = -1
  const isUnchanged = () => {
    const same = pages === before
    before = pages
    return same
  }
  await expect.poll(isUnchanged, { interval: 100, timeout: 30_000 }).toBe(true)
  expect(pages).toBeLessThan(40)
  answer.resume()
  expect((await textOf(answer)).length).toBeGreaterThan(40 * 256 * 1024)
  await writing
})

test('signing out ends the streams of that session, and no others', async () => {
  const { stream, answer } = await connect()
  const revocation = { sub: null, revoked_at: new Date().toISOString() }
  streams.revoke({ ...revocation, sid: 'another' })
  streams.revoke({ ...revocation, sid: null, sub: 'somebody' })
  expect(stream.signal.aborted).toBe(false)
  streams.revoke({ ...revocation, sid: 's' })
  expect(stream.signal.aborted).toBe(true)
  expect(await textOf(answer)).toBe('retry: 1000\n\n')
})

test('no line separator of Unicode is sent as it is, over SSE or WebSocket', () => {
  const text = 'a\u2028b\u2029c\nd'
  const frame = eventFrame('token', { text }, 7)
  expect(frame.split(/[\n\u2028\u2029]/)).toHaveLength(5)
  expect(JSON.parse(frame.split('\n')[2]?.slice('data: '.length) ?? '')).toEqual({ text })
  const socket = entryFrame('r', { n: 7, body: { event: 'token', data: { text } } })
  expect(socket).not.toMatch(/[\u2028\u2029]/)
  expect(JSON.parse(socket)).toMatchObject({ type: 'token', text })
})
