import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { RunningSystem } from '../supervisor/bring-up.ts'
import type { Change, ReplicaCounts } from '../supervisor/replicas.ts'
import type { SupervisedProcess } from '../supervisor/supervised-process.ts'
import { isReady } from '../supervisor/wait-until-ready.ts'
import { StartError } from '../start-error.ts'

export interface ProcessStatus {
  readonly name: string
  readonly pid: number | null
  readonly state: 'ready' | 'not ready' | 'up' | 'down' | 'leaving'
  readonly up_seconds: number
  readonly restarts: number
  /** Processes of this name that begin or end beside it while it is replaced. */
  readonly other_pids: readonly number[]
}

/** One line of the answer to a change: a step, and at last how it ended. */
export type ChangeLine = { readonly step: string } | { readonly done: readonly string[] } | { readonly error: string }

export interface ControlServer extends AsyncDisposable {
  readonly port: number
  readonly token: string
}

/**
 * The commands `status`, `restart`, `scale` and `stop` reach the supervisor by HTTP on 127.0.0.1, with a token that stands only in the lock
 * file (mode 600). A Unix socket in the data folder would not do: its path is limited to 107 bytes.
 */
export async function startControlServer(system: () => RunningSystem | undefined, onStop: () => void): Promise<ControlServer> {
  const token = randomBytes(32).toString('base64url')
  const server = createServer((request, response) => {
    void answer(request, response, token, system, onStop).catch(() => send(response, 500, { error: 'failed' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    token,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
  system: () => RunningSystem | undefined,
  onStop: () => void,
): Promise<void> {
  if (!isEqual(request.headers.authorization ?? '', `Bearer ${token}`)) return send(response, 401, { error: 'wrong token' })
  const running = system()
  if (request.method === 'GET' && request.url === '/status') {
    return send(response, 200, { starting: running === undefined, processes: running ? await statusOf(running) : [] })
  }
  if (request.method === 'POST' && request.url === '/stop') {
    send(response, 202, { stopping: true })
    return onStop()
  }
  if (request.method === 'POST' && request.url === '/restart') {
    const name = (await text(request)).slice(0, 100)
    return change(response, running, ({ replicas }, how) => replicas.restart(name, how))
  }
  if (request.method === 'POST' && request.url === '/scale') {
    // Checked by the command, which alone has the token.
    const counts = JSON.parse(await text(request)) as ReplicaCounts
    return change(response, running, async ({ replicas }, how) => {
      await replicas.scale(counts, how)
      return []
    })
  }
  return send(response, 404, { error: 'unknown' })
}

/** Answers with a line of JSON for each step. A caller that leaves ends the change after the step under way. */
async function change(
  response: ServerResponse,
  running: RunningSystem | undefined,
  work: (system: RunningSystem, how: Change) => Promise<readonly string[]>,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  const say = (line: ChangeLine) => void response.write(`${JSON.stringify(line)}\n`)
  response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders()
  try {
    if (!running) throw new StartError('YouWorker is still starting; try again when it is up.')
    say({ done: await work(running, { say: (step) => say({ step }), signal: left.signal }) })
  } catch (error) {
    say({ error: error instanceof StartError ? error.message : `It failed: ${String(error)}` })
  }
  response.end()
}

async function statusOf({ processes, replicas }: RunningSystem): Promise<ProcessStatus[]> {
  const states = await Promise.all(processes.map(async (one) => statusOfOne(one, await stateOf(one))))
  return [...states, ...replicas.leaving.map((one) => statusOfOne(one, 'leaving'))]
}

async function stateOf({ pid, healthUrl }: SupervisedProcess): Promise<ProcessStatus['state']> {
  if (pid === undefined) return 'down'
  if (healthUrl === undefined) return 'up'
  return (await isReady(healthUrl, 2_500)) ? 'ready' : 'not ready'
}

function statusOfOne({ spec, pid, upMs, starts, otherPids }: SupervisedProcess, state: ProcessStatus['state']): ProcessStatus {
  return {
    name: spec.name,
    pid: pid ?? null,
    state,
    up_seconds: Math.round(upMs / 1000),
    restarts: starts - 1,
    other_pids: otherPids.filter((other) => other !== pid),
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function isEqual(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
