import { once } from 'node:events'
import { ServerFrame } from '@youworker/gateway/server-frame'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestSystem, type TestSystem } from './support/system.ts'
import type { Person } from './support/person.ts'

let system: TestSystem
let ada: Person

beforeAll(async () => {
  system = await startTestSystem({ tokensPerSecond: 40 })
  ada = await system.newPerson('ada')
  await ada.upload([
    {
      name: 'sky.md',
      content: `# Sky\n\nThe sky is blue because short waves of light scatter more${', and more'.repeat(30)}.\n`,
    },
  ])
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

interface Frame {
  type: string
  seq: number
  run_id?: string
  timestamp: string
  [field: string]: unknown
}

async function connect(path: string, headers: Record<string, string>) {
  const socket = new WebSocket(`${system.api.replace('http', 'ws')}${path}`, { headers })
  const frames: Frame[] = []
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())))
  await once(socket, 'open')
  const until = async (type: string, from = 0) => {
    await expect.poll(() => frames.slice(from).some((frame) => frame.type === type), { timeout: 30_000 }).toBe(true)
    return frames.slice(from).find((frame) => frame.type === type)
  }
  return { socket, frames, until, send: (message: unknown) => socket.send(JSON.stringify(message)) }
}

const newSession = async () => (await ada.post('/v1/sessions', {})).body.external_id as string

test('a socket answers pings, streams answers, stops and resumes them', async () => {
  const session = await newSession()
  const chat = await connect(`/v1/ws/chat/${session}`, { 'x-api-key': ada.key ?? '' })
  chat.send({ type: 'ping' })
  await chat.until('pong')
  chat.send({ type: 'text', content: 'Why is the sky blue?' })
  const done = await chat.until('done')
  const text = chat.frames
    .filter(({ type }) => type === 'token')
    .map(({ text }) => text)
    .join('')
  expect(done).toMatchObject({ content: text, run_id: expect.any(String), citations: [{ title: 'Sky' }] })
  const seqs = chat.frames.filter(({ run_id }) => run_id === done?.run_id).map(({ seq }) => seq)
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))

  const [question] = (await ada.get(`/v1/sessions/${session}`)).body.messages
  const before = chat.frames.length
  chat.send({ type: 'retry', message_id: question.id, content: 'Why is the sky so blue?' })
  expect((await chat.until('done', before))?.['run_id']).not.toBe(done?.run_id)
  const { messages } = (await ada.get(`/v1/sessions/${session}`)).body
  expect(messages[0]).toMatchObject({ content: 'Why is the sky so blue?', siblings: { index: 2, count: 2 } })
  chat.send({ type: 'retry', message_id: session })
  expect(await chat.until('error', before)).toMatchObject({ error: { code: 'MESSAGE_NOT_FOUND' } })

  for (const frame of chat.frames) expect([frame, ServerFrame.safeParse(frame).error]).toEqual([frame, undefined])

  const from = chat.frames.length
  chat.send({ type: 'text', content: 'And why is the sky blue again?' })
  await chat.until('token', from)
  chat.send({ type: 'stop' })
  expect(await chat.until('done', from)).toMatchObject({ metadata: { status: 'stopped' } })

  chat.socket.close()
  const again = await connect(`/chat/${session}`, { 'x-api-key': ada.key ?? '' })
  again.send({ type: 'resume', run_id: done?.run_id, after: 0 })
  expect(await again.until('done')).toMatchObject({ content: done?.['content'] })
  again.socket.close()
})

test('invalid frames get an error frame, and the socket stays usable', async () => {
  const chat = await connect(`/v1/ws/chat/${await newSession()}`, { 'x-api-key': ada.key ?? '' })
  chat.socket.send('not json')
  await chat.until('error')
  chat.send({ type: 'text' })
  chat.send({ type: 'dance' })
  await expect.poll(() => chat.frames.filter(({ type }) => type === 'error').length, { timeout: 30_000 }).toBe(3)
  chat.send({ type: 'audio', audio_data: 'AAAA', sample_rate: 16_000 })
  await expect
    .poll(() => chat.frames.at(-1)?.['error'], { timeout: 30_000 })
    .toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('AUDIO__BASE_URL'),
    })
  chat.send({ type: 'ping' })
  await chat.until('pong')
  chat.socket.close()
})

test('no credential, a foreign origin and the session of another user are refused', async () => {
  const session = await newSession()
  const eve = await system.newPerson('eve')
  const status = async (path: string, headers: Record<string, string>) => {
    const socket = new WebSocket(`${system.api.replace('http', 'ws')}${path}`, { headers })
    socket.on('error', () => {})
    const outcome = await Promise.race([
      once(socket, 'unexpected-response').then(([, response]) => response.statusCode),
      once(socket, 'open').then(() => 101),
    ])
    socket.terminate()
    return outcome
  }
  expect(await status(`/v1/ws/chat/${session}`, {})).toBe(401)
  expect(await status(`/v1/ws/chat/${session}`, { 'x-api-key': ada.key ?? '', origin: 'https://evil.example' })).toBe(403)
  expect(await status(`/v1/ws/chat/${session}`, { 'x-api-key': eve.key ?? '' })).toBe(404)
  expect(await status(`/v1/ws/chat/${session}`, { 'x-api-key': ada.key ?? '', origin: system.frontendOrigin })).toBe(101)
})
