import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from '../support/person.ts'
import { RawWebSocket } from '../support/raw/raw-web-socket.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

/** Lasts longer than a peer that does not answer is waited for. */
const SLOW = Array.from({ length: 900 }, (_, n) => `${n}`).join(' ')
/** A socket is pinged every 30 s, and one that has not answered by the next ping is cut. */
const CUT_WITHIN_MS = 75_000

let dir: string
let system: TestSystem
let ada: Person

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-dead-'))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: [{ reply: { text: SLOW, tokens_per_second: 10 } }] }))
  system = await startTestSystem({ script })
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

interface Frame {
  readonly type: string
  readonly run_id: string
  readonly seq: number
  readonly text?: string
  readonly content?: string
}
const framesOf = (socket: RawWebSocket) => socket.frames as Frame[]
const textOf = (frames: readonly Frame[]) => frames.map(({ type, text }) => (type === 'token' ? text : '')).join('')
const gauge = async (name: string) => {
  const { body } = await system.root.get('/metrics')
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
}

test('a peer that answers no ping is cut, in mid-answer and while idle; one that answers is not; the run goes on, and the rest is resumed', async () => {
  const session = (await ada.post('/v1/sessions', {})).body.external_id as string
  const path = `/v1/ws/chat/${session}`
  // None of them answers a ping by itself, as a peer whose network is gone.
  const [dead, idle, alive] = await Promise.all([1, 2, 3].map(() => RawWebSocket.open(system.api, path, ada.key)))
  if (!dead || !idle || !alive) throw new Error('no sockets')
  expect(await gauge('ws_connections')).toBe(3)
  const answering = setInterval(() => alive.frame(0x8a), 5_000)
  try {
    dead.text({ type: 'text', content: 'slow' })
    await expect.poll(() => framesOf(dead).some(({ type }) => type === 'token'), { timeout: 30_000 }).toBe(true)
    const cut = Promise.all([dead.closed, idle.closed])
    const limit = new Promise((resolve) => setTimeout(resolve, CUT_WITHIN_MS, 'still open').unref())
    expect(await Promise.race([cut, limit])).toEqual([1006, 1006])
    expect([dead.pings, idle.pings].map((pings) => pings >= 1)).toEqual([true, true])
    await expect.poll(() => gauge('ws_connections'), { timeout: 30_000 }).toBe(1)
    expect(alive.isClosed).toBe(false)

    const seen = framesOf(dead)
    expect(seen.some(({ type }) => type === 'done')).toBe(false)
    const last = seen.filter(({ seq }) => seq !== null).at(-1)
    expect((await ada.get(`/v1/runs/${last?.run_id}`)).body.status).toBe('running')
    const again = await RawWebSocket.open(system.api, path, ada.key)
    again.text({ type: 'resume', run_id: last?.run_id, after: last?.seq })
    const answers = setInterval(() => again.frame(0x8a), 5_000)
    await expect.poll(() => framesOf(again).some(({ type }) => type === 'done'), { timeout: 60_000 }).toBe(true)
    clearInterval(answers)
    expect(textOf([...seen, ...framesOf(again)])).toBe(SLOW)
    expect(framesOf(again).at(-1)?.content).toBe(SLOW)
    again.destroy()
  } finally {
    clearInterval(answering)
    alive.destroy()
  }
  await expect.poll(() => gauge('ws_connections'), { timeout: 30_000 }).toBe(0)
}, 180_000)
