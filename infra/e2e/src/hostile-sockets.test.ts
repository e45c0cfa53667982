import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person, textOf } from './support/person.ts'
import { RawWebSocket } from './support/raw/raw-web-socket.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

/** Each frame of it is far smaller than what is kept for a client. */
const LONG = Array.from({ length: 12_000 }, (_, n) => `word${n % 1_000}`.padEnd(7, '.')).join(' ')
const SLOW = Array.from({ length: 400 }, (_, n) => `${n}`).join(' ')
const RULES = [
  { match: { contains: 'long' }, reply: { text: LONG, tokens_per_second: 0 } },
  { match: { contains: 'slow' }, reply: { text: SLOW, tokens_per_second: 50 } },
  { reply: { text: 'Yes.', tokens_per_second: 0 } },
]

let dir: string
let system: TestSystem
let ada: Person

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-sockets-'))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: RULES }))
  const env = { API__STALL_MS: '1500', LLM__OLLAMA_CONCURRENCY: '20', SECURITY__RATE_LIMITS: 'generous' }
  system = await startTestSystem({ script, env })
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(async () => {
  await system[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const newSession = async (person = ada) => (await person.post('/v1/sessions', {})).body.external_id as string
const open = async (person = ada) => RawWebSocket.open(system.api, `/v1/ws/chat/${await newSession(person)}`, person.key)

interface Frame {
  readonly type: string
  readonly run_id: string
  readonly seq: number
  readonly stage?: string
  readonly text?: string
  readonly session_id?: string
  readonly error?: { readonly code: string }
  readonly metadata?: { readonly status: string }
}
const framesOf = (socket: RawWebSocket) => socket.frames as Frame[]
const until = async (socket: RawWebSocket, isIt: (frame: Frame) => boolean): Promise<Frame> => {
  await expect.poll(() => framesOf(socket).some(isIt), { timeout: 30_000 }).toBe(true)
  return framesOf(socket).find(isIt) as Frame
}
const TEXT = 0x81

test.each<[string, number, (socket: RawWebSocket) => void]>([
  ['a frame without a mask', 1002, (socket) => socket.frame(TEXT, '{"type":"ping"}', { isMasked: false })],
  ['an unknown opcode', 1002, (socket) => socket.frame(0x83, 'x')],
  ['a reserved bit, as of a compressed message', 1002, (socket) => socket.frame(0xc1, 'x')],
  ['a continuation of nothing', 1002, (socket) => socket.frame(0x80, 'x')],
  ['a ping of more than 125 bytes', 1002, (socket) => socket.frame(0x89, 'x'.repeat(126))],
  ['text that is not UTF-8', 1007, (socket) => socket.frame(TEXT, Uint8Array.of(0x22, 0xc3, 0x28, 0x22))],
  ['half of a surrogate pair in UTF-8', 1007, (socket) => socket.frame(TEXT, Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))],
  ['a message that is too big', 1009, (socket) => socket.frame(TEXT, 'x'.repeat(257 * 1024))],
  [
    'a message of parts that is too big and no recording',
    1009,
    (socket) => {
      socket.frame(0x01, 'x'.repeat(100 * 1024))
      for (let n = 0; n < 3; n += 1) socket.frame(0x00, 'x'.repeat(100 * 1024))
      socket.frame(0x80, 'x')
    },
  ],
  [
    'a message of too many parts',
    1008,
    (socket) => {
      socket.frame(0x01, '"')
      for (let n = 0; n < 1_100; n += 1) socket.frame(0x00, 'x')
    },
  ],
  [
    'a flood of pings',
    1008,
    (socket) => {
      for (let n = 0; n < 1_100; n += 1) socket.frame(0x89, 'x')
    },
  ],
  [
    'a flood of frames that mean nothing',
    1008,
    (socket) => {
      for (let n = 0; n < 150; n += 1) socket.text({})
    },
  ],
])('%s closes the socket with %i', async (_, code, send) => {
  const socket = await open()
  send(socket)
  expect(await socket.closed).toBe(code)
})

test('one socket follows the runs of two sessions, and stops one of them', async () => {
  const [socket, other] = [await open(), (await ada.post('/v1/sessions', {})).body]
  socket.text({ type: 'text', content: 'slow' })
  socket.text({ type: 'text', content: 'slow, elsewhere', session_id: other.external_id })
  const isStart = ({ type, stage }: Frame) => type === 'status' && stage === 'started'
  await expect.poll(() => framesOf(socket).filter(isStart).length, { timeout: 30_000 }).toBe(2)
  const [one, two] = framesOf(socket).filter(isStart)
  expect(one?.session_id).not.toBe(two?.session_id)
  for (const begun of [one, two]) await until(socket, ({ type, run_id }) => type === 'token' && run_id === begun?.run_id)
  socket.text({ type: 'stop', run_id: one?.run_id })
  const stopped = await until(socket, ({ type }) => type === 'done')
  expect(stopped).toMatchObject({ run_id: one?.run_id, metadata: { status: 'stopped' } })
  const before = framesOf(socket).length
  const goesOn = () =>
    framesOf(socket)
      .slice(before)
      .some(({ type, run_id }) => type === 'token' && run_id === two?.run_id)
  await expect.poll(goesOn, { timeout: 30_000 }).toBe(true)
  socket.text({ type: 'stop' })
  await until(socket, ({ type, run_id }) => type === 'done' && run_id === two?.run_id)

  const eve = await system.newPerson('eve')
  socket.text({ type: 'text', content: 'hello', session_id: await newSession(eve) })
  await until(socket, ({ error }) => error?.code === 'SESSION_NOT_FOUND')
  const { runId } = await eve.chat('hello')
  socket.text({ type: 'stop', run_id: runId })
  expect(await until(socket, ({ error }) => error?.code === 'RUN_NOT_FOUND')).toMatchObject({ run_id: runId })
  socket.destroy()
})

test('a stop that follows the question at once stops its answer', async () => {
  const socket = await open()
  socket.text({ type: 'text', content: 'slow' })
  socket.text({ type: 'stop' })
  expect(await until(socket, ({ type }) => type === 'done')).toMatchObject({ metadata: { status: 'stopped' } })
  socket.destroy()
})

test('a socket begins so many answers and no more, and a user opens so many sockets', async () => {
  const bob = await system.newPerson('bob')
  const socket = await open(bob)
  for (let n = 0; n < 12; n += 1) socket.text({ type: 'text', content: 'slow', session_id: await newSession(bob) })
  const isRefused = ({ error }: Frame) => error?.code === 'RATE_LIMIT_EXCEEDED'
  await expect.poll(() => framesOf(socket).filter(isRefused).length, { timeout: 30_000 }).toBe(4)
  socket.text({ type: 'stop' })
  await expect.poll(() => framesOf(socket).filter(({ type }) => type === 'done').length, { timeout: 30_000 }).toBe(8)
  const session = await newSession(bob)
  const path = `/v1/ws/chat/${session}`
  const more = await Promise.all(Array.from({ length: 63 }, () => RawWebSocket.open(system.api, path, bob.key)))
  await expect(RawWebSocket.open(system.api, path, bob.key)).rejects.toThrow('HTTP/1.1 429')
  more[0]?.destroy()
  await expect
    .poll(() => RawWebSocket.open(system.api, path, bob.key).then((next) => more.push(next)), { timeout: 30_000 })
    .toBe(64)
  for (const each of [socket, ...more]) each.destroy()
})

test('suspending a user closes the sockets with 1008, during an answer too', async () => {
  const mallory = await system.newPerson('mallory')
  const [idle, busy] = [await open(mallory), await open(mallory)]
  busy.text({ type: 'text', content: 'slow' })
  await until(busy, ({ type }) => type === 'token')
  await system.root.call('PATCH', `/v1/admin/users/${mallory.id}`, { suspended: true })
  expect(await Promise.all([idle.closed, busy.closed])).toEqual([1008, 1008])
})

const heldBytes = async () => {
  const { body } = await system.root.get('/metrics')
  return Number(/^stream_held_bytes\{kind="web_socket"\} (\d+)$/m.exec(body)?.[1] ?? 0)
}

test('a client that does not read holds little and is disconnected; others do not feel it, and it resumes', async () => {
  const runs = [await ada.chat('long 1'), await ada.chat('long 2'), await ada.chat('long 3')]
  expect(runs[0]?.done.content).toBe(LONG)
  const sockets = await Promise.all(Array.from({ length: 3 }, () => open()))
  for (const socket of sockets) socket.pause()
  const held: number[] = []
  // Until the buffers of the kernel are full.
  await expect
    .poll(
      async () => {
        for (const socket of sockets) for (const { runId } of runs) socket.text({ type: 'resume', run_id: runId, after: 0 })
        held.push(await heldBytes())
        return held.at(-1)
      },
      { timeout: 30_000, interval: 20 },
    )
    .toBeGreaterThan(0)
  const reader = await open()
  const events = runs[0]?.events ?? []
  const half = Math.floor(events.length / 2)
  reader.text({ type: 'resume', run_id: runs[0]?.runId, after: events[half]?.id })
  await until(reader, ({ type }) => type === 'done')
  const rest = framesOf(reader).map(({ type, text }) => (type === 'token' ? text : ''))
  expect(rest.join('')).toBe(textOf(events.slice(half + 1)))
  expect((await ada.chat('short')).done.content).toBe('Yes.')
  await expect.poll(async () => held.push(await heldBytes()) > 0 && held.at(-1), { timeout: 30_000 }).toBe(0)
  expect(Math.max(...held)).toBeLessThan(sockets.length * 256 * 1024)
  for (const socket of [...sockets, reader]) socket.destroy()
})
