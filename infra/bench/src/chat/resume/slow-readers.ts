import { once } from 'node:events'
import { Agent } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiUser } from '../../api-user.ts'
import { isQuick } from '../../measuring/effort.ts'
import { median } from '../../measuring/load.ts'
import { ask, wordsOf } from '../ask.ts'
import { type Side, startOurs } from '../sides.ts'
import { messageFrame, requestSocket } from './raw-socket.ts'

const READERS = isQuick ? 20 : 100
const USERS = 4
const ASKED = 20
const EVERY_MS = 200
/** The same figure so often in a row. */
const STILL = 8
/** Long enough for all buffers to be full before the first is cut. */
const ENV = { API__STALL_MS: '15000' }
const LONGEST_MS = 60_000
/** Near the most that an answer may have. */
const LONG = Array.from({ length: 12_000 }, (_, n) => `text${n % 1_000}`.padEnd(7, '.')).join(' ')
const RULES = [{ match: { contains: 'long' }, reply: { text: LONG } }, { reply: { text: wordsOf(20) } }]
/** Each reader asks for them again and again, until the buffers of the kernel are full. */
const RUNS = 3

/**
 * 100 WebSockets follow long answers and read nothing: what the gateway keeps for one of them until it is disconnected, and how long
 * the answers of another user take meanwhile. The ratio is alone / beside.
 */
export async function slowReaders(stack: AsyncDisposableStack): Promise<number> {
  const { system, users, endpoints } = await startOurs(stack, { clients: USERS + 1, rules: RULES, env: ENV })
  const root = ApiUser.root(endpoints)
  const readers: { readonly socket: Socket; readonly runs: readonly string[] }[] = []
  const logs = await Promise.all(users.slice(1).map(longAnswers))
  const alone = await answers(system)
  for (let n = 0; n < READERS; n += 1) readers.push(await openReader(system, logs, n))
  const held = [0]
  const read = async () => {
    const metrics = String(await root.get('/metrics'))
    held.push(valueOf(metrics, 'stream_held_bytes'))
    return valueOf(metrics, 'slow_clients_total')
  }
  const until = performance.now() + LONGEST_MS
  // Until no more is taken.
  for (let still = 0; still < STILL && performance.now() < until;) {
    for (const { socket, runs } of readers)
      for (const run_id of runs) if (socket.writable) socket.write(messageFrame({ type: 'resume', run_id, after: 0 }))
    await sleep(EVERY_MS)
    await read()
    const [before = 0, now = 0] = held.slice(-2)
    still = now > 0 && now === before ? still + 1 : 0
  }
  const started = performance.now()
  const beside = await answers(system)
  while ((await read()) < READERS && performance.now() - started < LONGEST_MS) await sleep(EVERY_MS)
  const seconds = (performance.now() - started) / 1_000
  for (const { socket } of readers) socket.destroy()
  const kib = Math.max(...held) / READERS / 1_024
  console.log(
    `${READERS} sockets read nothing: at most ${kib.toFixed(0)} KiB kept for each, all cut after ${seconds.toFixed(0)} s`,
  )
  console.log(`an answer to another user takes ${median(beside).toFixed(0)} ms beside them, ${median(alone).toFixed(0)} ms alone`)
  return median(alone) / median(beside)
}

const valueOf = (metrics: string, name: string): number =>
  Number(new RegExp(`^${name}\\{kind="web_socket"\\} (\\d+)$`, 'm').exec(metrics)?.[1] ?? 0)

interface Log {
  readonly user: ApiUser
  readonly session: string
  readonly runs: readonly string[]
}

async function longAnswers(user: ApiUser): Promise<Log> {
  const runs: string[] = []
  let session = ''
  for (let n = 0; n < RUNS; n += 1) {
    const answer = await user.post('/v1/chat', { text_input: 'Something long.', stream: false })
    const { run_id, session_id } = answer as { run_id: string; session_id: string }
    runs.push(run_id)
    session = session_id
  }
  return { user, session, runs }
}

async function openReader({ url }: Side, logs: readonly Log[], n: number) {
  const log = logs[n % logs.length]
  if (!log) throw new Error('no user has an answer to read')
  const socket = requestSocket({ url, path: `/v1/ws/chat/${log.session}`, headers: log.user.headers })
  socket.on('error', () => undefined)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(head.toString())
  socket.pause()
  return { socket, runs: log.runs }
}

/** How long each takes, in ms. */
async function answers({ url, clients: [headers = {}] }: Side): Promise<number[]> {
  const agent = new Agent({ keepAlive: true })
  const times: number[] = []
  for (let n = 0; n < ASKED; n += 1) {
    const started = performance.now()
    await ask({ url, headers, agent })
    times.push(performance.now() - started)
  }
  agent.destroy()
  return times
}
