import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { closeNats, connectNats } from '@youworker/messaging/connection/connect'
import { SendQueue } from '@youworker/messaging/connection/send-queue'
import { ReplyInbox } from '@youworker/messaging/requests/reply-inbox'
import { HEADER, line, linesOf } from '@youworker/messaging/requests/wire'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { silentLogger } from '@youworker/runtime/logger'
import { connect, headers, type MsgHdrs, type NatsConnection } from 'nats'
import { compare, type Way } from './measuring/compare.ts'
import { cpuSeconds } from './measuring/process-cpu.ts'
import { endWith, firstMessage, temporaryDir } from './system.ts'

const SUBJECT = 'bench.echo'
const WAIT_MS = 5_000
const CALLERS = 32
/** An access token and a group with ten members have about these sizes. */
const TOKEN = 'x'.repeat(700)
const DATA = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(1_000) }))

/**
 * The request client of packages/messaging against `nc.request` of nats.js, with the same payload and headers, to an echo in another
 * process; ours also without the send queue, `nc.request` also with ready-made header bytes, to tell what each of these saves. The ratio
 * is that against `nc.request` as people write it, when each request comes from a callback of its own, as from the sockets of the gateway.
 */
export async function natsRequest(stack: AsyncDisposableStack): Promise<number> {
  const { url, pid } = await startServer(stack)
  const ways = [
    await ownWay(stack, 'packages/messaging', url),
    await ownWay(stack, 'packages/messaging, each request sent at once', url, new NoQueue()),
    await libraryWay(stack, 'nc.request', url, mappedHeaders),
    await libraryWay(stack, 'nc.request, headers as bytes', url, () => linesOf(headerLines())),
  ]
  const serverCpu = async () => (await cpuSeconds([{ name: 'nats', pid }])).get('nats') ?? 0
  await compare(ways, { title: 'request', callers: 1, serverCpu })
  await compare(ways, { title: 'request after the reply before', callers: CALLERS, serverCpu })
  const asGateway = ways.map(({ name, run }): Way => ({ name, run: () => setImmediate().then(run) }))
  const [, , ratio = Number.NaN] = await compare(asGateway, { title: 'request from a callback', callers: CALLERS, serverCpu })
  return ratio
}

async function startServer(stack: AsyncDisposableStack): Promise<{ url: string; pid: number }> {
  const { path: binary } = await findNatsServer()
  const accounts = { BENCH: { users: [{ user: 'bench', password: 'bench' }] } }
  const dir = join(await temporaryDir(stack), 'nats')
  const server = stack.use(await startNats({ binary, dir, port: await freePort(), accounts }))
  const url = server.url.replace('//', '//bench:bench@')
  const echo = fork(join(import.meta.dirname, 'baselines/nats-echo.ts'), { env: { ...process.env, NATS_URL: url, SUBJECT } })
  endWith(stack, echo)
  await firstMessage(echo)
  return { url, pid: server.pid }
}

/** What every request of the system carries. */
const values = () =>
  [
    [HEADER.deadline, String(Date.now() + WAIT_MS)],
    [HEADER.correlationId, newCorrelationId()],
    [HEADER.traceparent, newTraceparent()],
    [HEADER.token, TOKEN],
  ] as const
const headerLines = () =>
  values()
    .map(([name, value]) => line(name, value))
    .join('')
function mappedHeaders(): MsgHdrs {
  const map = headers()
  for (const [name, value] of values()) map.set(name, value)
  return map
}

/** To tell what the send queue saves from what the reply inbox saves. */
class NoQueue extends SendQueue {
  override add(send: () => void): void {
    send()
  }
}

async function ownWay(stack: AsyncDisposableStack, name: string, url: string, sends?: SendQueue): Promise<Way> {
  const nats = stack.adopt(await connectNats({ url, service: 'bench', logger: silentLogger() }), closeNats)
  const inbox = sends ? new ReplyInbox({ core: nats.core, service: 'bench', isUp: true, sends }) : nats.inbox
  const run = () => inbox.request({ subject: SUBJECT, data: DATA, lines: headerLines(), waitMs: WAIT_MS })
  return { name, run }
}

async function libraryWay(stack: AsyncDisposableStack, name: string, url: string, makeHeaders: () => MsgHdrs): Promise<Way> {
  const { host, username: user, password: pass } = new URL(url)
  // Without a stack trace for each request, as packages/messaging connects too.
  const nats: NatsConnection = await connect({ servers: host, user, pass, noAsyncTraces: true })
  stack.defer(() => nats.close())
  return { name, run: () => nats.request(SUBJECT, DATA, { headers: makeHeaders(), timeout: WAIT_MS }) }
}
