import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person, readEvents, type SseEvent, textOf } from './support/person.ts'
import { RawWebSocket } from './support/raw/raw-web-socket.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

/**
 * What the model writes: more than 2 MB. The answer of a run ends earlier, at its longest, which has 1 MB as events: signs that take six
 * bytes there.
 */
const WRITTEN = Array.from(
  { length: 90_000 },
  (_, n) => `${'\u2028\u2029'.repeat(4)}${String.fromCharCode(0x2200 + (n % 256))}`,
).join('')
const ANSWERED = WRITTEN.slice(0, 90_000)
const FILLING = WRITTEN.slice(0, 15_000)
const LIMIT = 256 * 1024

let dir: string
let system: TestSystem
let ada: Person
let eve: Person
/** A run with {@link FILLING} as its answer. */
let filler: string
/** Of the answer to a question for that run. */
let fillerBytes: number
let capacity: number

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-slow-'))
  const script = join(dir, 'script.json')
  const rules = [
    { match: { contains: 'much' }, reply: { text: WRITTEN, tokens_per_second: 30_000 } },
    { match: { contains: 'fill' }, reply: { text: FILLING, tokens_per_second: 0 } },
    { reply: { text: 'Yes.', tokens_per_second: 0 } },
  ]
  await writeFile(script, JSON.stringify({ rules }))
  const env = { API__STALL_MS: '1500', LLM__OLLAMA_CONCURRENCY: '20', SECURITY__RATE_LIMITS: 'off' }
  system = await startTestSystem({ script, env })
  ada = await system.newPerson('ada')
  eve = await system.newPerson('eve')
  filler = (await ada.chat('fill', { enable_tools: false })).runId
  fillerBytes = (await (await ada.fetch(`/v1/runs/${filler}`)).arrayBuffer()).byteLength
  capacity = await measureCapacity()
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const metric = async (line: string) => {
  const { body } = await system.root.get('/metrics')
  return Number(new RegExp(`^${line} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
}
const held = (kind = 'sse') => metric(`stream_held_bytes\\{kind="${kind}"\\}`)
const cut = () => metric('slow_clients_total\\{kind="sse"\\}')

/** An HTTP client over a plain socket that does not read. */
class Deaf {
  readonly #person: Person
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  readonly #closed: Promise<void>

  constructor(person: Person) {
    this.#person = person
    const { hostname, port } = new URL(person.api)
    this.#socket = connect({ port: Number(port), host: hostname })
    this.#socket.on('data', (part: Buffer) => (this.#received = Buffer.concat([this.#received, part])))
    this.#socket.on('error', () => undefined)
    this.#closed = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.pause()
  }

  ask(method: string, path: string, body?: object): void {
    const json = body === undefined ? '' : JSON.stringify(body)
    const head = [
      `${method} ${path} HTTP/1.1`,
      'host: 127.0.0.1',
      `x-api-key: ${this.#person.key}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(json)}`,
    ]
    this.#socket.write(`${head.join('\r\n')}\r\n\r\n${json}`)
  }

  /** Asks for what is not read, until the kernel has nearly all that it takes for such a client. */
  async fill(): Promise<void> {
    for (let left = capacity; left > fillerBytes; left -= fillerBytes) {
      const before = await served()
      this.ask('GET', `/v1/runs/${filler}`)
      await expect.poll(served, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before)
    }
  }

  /** Reads what is left, to the end of the connection, with a pause after each part. Returns the body of the last answer. */
  async rest({ pauseMs = 0 } = {}): Promise<Buffer> {
    const pause = () => {
      this.#socket.pause()
      setTimeout(() => this.#socket.resume(), pauseMs)
    }
    if (pauseMs > 0) this.#socket.on('data', pause)
    this.#socket.resume()
    await this.#closed
    const begin = this.#received.lastIndexOf('HTTP/1.1 200')
    const last = this.#received.subarray(begin)
    return unchunked(last.subarray(last.indexOf('\r\n\r\n') + 4))
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

const served = () => metric('http_request_duration_seconds_count\\{route="/v1/runs/\\{run_id\\}",method="GET",status="200"\\}')

/** Bytes that the kernel takes for a client on this machine that does not read. */
async function measureCapacity(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const server = createServer((socket) => {
    const piece = Buffer.alloc(16 * 1024)
    const write = (sent: number): void => {
      if (socket.writableLength > 0) return resolve(sent)
      socket.write(piece)
      setImmediate(write, sent + piece.length)
    }
    socket.on('error', () => undefined)
    write(0)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const bytes = await promise
  client.destroy()
  server.close()
  return bytes
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf('\r\n', at)
    const size = line < 0 ? 0 : Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (line < 0 || size === 0) break
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(parts)
}
const eventsOf = (body: Buffer): Promise<SseEvent[]> => Array.fromAsync(readEvents(new Response(new Uint8Array(body))))

test('who stops reading a long answer holds little and is disconnected; nobody else feels it, and coming back brings the same bytes', async () => {
  const before = await cut()
  const slow = new Deaf(ada)
  await slow.fill()
  slow.ask('POST', '/v1/chat', { text_input: 'much', enable_tools: false })
  const newest = async () => (await ada.get('/v1/tasks?type=chat&limit=1')).body.tasks[0].id as string
  await expect.poll(newest, { timeout: 30_000 }).not.toBe(filler)
  const runId = await newest()

  // Another reader of the same run, and another user's answer, go on meanwhile.
  const sizes: number[] = []
  let isOver = false
  const watching = (async () => {
    while (!isOver) sizes.push(await held())
  })()
  try {
    const other = await Array.fromAsync(readEvents(await ada.fetch(`/v1/runs/${runId}/events`)))
    const text = textOf(other)
    expect(text.startsWith(ANSWERED)).toBe(true)
    expect(other.at(-1)?.data.content === text).toBe(true)
    expect((await eve.chat('short', { enable_tools: false })).done.content).toBe('Yes.')
    await expect.poll(cut, { timeout: 30_000 }).toBe(before + 1)

    const seen = await eventsOf(await slow.rest())
    expect(seen[0]).toMatchObject({ event: 'run', data: { run_id: runId } })
    expect(seen.some(({ event }) => event === 'done')).toBe(false)
    const headers = { 'last-event-id': String(seen.at(-1)?.id) }
    const rest = await Array.fromAsync(readEvents(await ada.fetch(`/v1/runs/${runId}/events`, { headers })))
    const all = [...seen, ...rest]
    expect(all).toEqual(other)
    expect(textOf(all) === text).toBe(true)
  } finally {
    isOver = true
    await watching
  }
  expect(Math.max(...sizes)).toBeGreaterThan(0)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMIT)
  expect(await held()).toBe(0)
}, 120_000)

test('of a last event that is larger than what is kept a slow client gets every byte, and the rest is not kept meanwhile', async () => {
  const { runId } = await ada.chat('much', { enable_tools: false })
  const { id } = (await ada.post('/v1/responses', { model: 'youworker-offline', input: 'much' })).body
  const asEvents = (path: string) => ada.fetch(path).then((answer) => Array.fromAsync(readEvents(answer)))
  for (const path of [`/v1/runs/${runId}/events`, `/v1/responses/${id}?stream=true`]) {
    const all = await asEvents(path)
    expect(JSON.stringify(all.at(-1)?.data).length).toBeGreaterThan(90_000)
    const slow = new Deaf(ada)
    await slow.fill()
    slow.ask('GET', path)
    const sizes: number[] = []
    const isHeld = async () => sizes.push(await held()) > 0 && sizes.at(-1)
    await expect.poll(isHeld, { timeout: 30_000, interval: 5 }).toBeGreaterThan(0)
    let isOver = false
    const reading = slow.rest({ pauseMs: 20 }).finally(() => (isOver = true))
    while (!isOver) sizes.push(await held())
    expect(await eventsOf(await reading)).toEqual(all)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMIT)
    expect(await held()).toBe(0)
  }
}, 120_000)

test('over a WebSocket such an event comes in fragments, whole, and nothing of another answer comes between them', async () => {
  const { runId, events, done } = await ada.chat('much', { enable_tools: false })
  const { external_id } = (await ada.get(`/v1/sessions/${done.metadata.session_id}`)).body.session
  const other = await ada.chat('short', { enable_tools: false })
  const socket = await RawWebSocket.open(system.api, `/v1/ws/chat/${external_id}`, ada.key)
  socket.pause()
  const sizes: number[] = []
  const ask = async () => {
    socket.text({ type: 'resume', run_id: runId, after: events.at(-2)?.id })
    sizes.push(await held('web_socket'))
    return sizes.at(-1)
  }
  await expect.poll(ask, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0)
  for (let n = 0; n < 10; n += 1) sizes.push(await held('web_socket'))
  expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMIT)
  socket.resume()
  socket.text({ type: 'resume', run_id: other.runId, after: 0 })
  const messages = () => socket.frames as Record<string, unknown>[]
  const isThere = () => messages().some(({ type, run_id }) => type === 'done' && run_id === other.runId)
  await expect.poll(isThere, { timeout: 30_000 }).toBe(true)
  const large = messages().filter(({ run_id }) => run_id === runId)
  expect(large.length).toBeGreaterThan(1)
  expect(large.every(({ type, content }) => type === 'done' && content === done.content)).toBe(true)
  expect(await held('web_socket')).toBe(0)
  socket.destroy()
}, 120_000)

test('over a WebSocket who reads gets a long event whole, also when it is all that is read', async () => {
  const { runId, events, done } = await ada.chat('much', { enable_tools: false })
  const { external_id } = (await ada.get(`/v1/sessions/${done.metadata.session_id}`)).body.session
  const socket = await RawWebSocket.open(system.api, `/v1/ws/chat/${external_id}`, ada.key)
  socket.text({ type: 'resume', run_id: runId, after: events.at(-2)?.id })
  const messages = () => socket.frames as Record<string, unknown>[]
  await expect.poll(() => messages().length, { timeout: 30_000 }).toBe(1)
  expect(messages()[0]).toMatchObject({ type: 'done', content: done.content })
  socket.destroy()
}, 120_000)
