import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { RunningSystem } from '../supervisor/bring-up.ts'
import { isReady } from '../supervisor/wait-until-ready.ts'

export interface ProcessStatus {
  readonly name: string
  readonly pid: number | null
  readonly state: 'ready' | 'not ready' | 'up' | 'down'
  readonly up_seconds: number
  readonly restarts: number
}

export interface ControlServer extends AsyncDisposable {
  readonly port: number
  readonly token: string
}

/**
 * The commands `status`, `restart` and `stop` reach the supervisor by HTTP on 127.0.0.1, with a token that stands only in the lock
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
    return send(response, 200, { starting: running === undefined, restarted: (await running?.restart(name)) ?? [] })
  }
  return send(response, 404, { error: 'unknown' })
}

async function statusOf({ processes }: RunningSystem): Promise<ProcessStatus[]> {
  return Promise.all(
    processes.map(async ({ spec, pid, upMs, starts }): Promise<ProcessStatus> => {
      const isUp = pid !== undefined
      const state = !isUp
        ? 'down'
        : spec.healthUrl === undefined
          ? 'up'
          : (await isReady(spec.healthUrl, 2_500))
            ? 'ready'
            : 'not ready'
      return { name: spec.name, pid: pid ?? null, state, up_seconds: Math.round(upMs / 1000), restarts: starts - 1 }
    }),
  )
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function isEqual(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
