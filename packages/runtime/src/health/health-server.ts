import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { renderMetrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

interface HealthServerOptions {
  readonly host: string
  readonly port: number
  /** `undefined` until the service has started. */
  readonly readiness: () => Readiness | undefined
}

export interface HealthServer extends AsyncDisposable {
  readonly url: string
  /** `host:port` as other machines see it: one that listens on all addresses is called by the name of its machine or container. */
  readonly seenAt: string
}

const ALL_ADDRESSES: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Serves /health/live, /health/ready and /metrics of one process. */
export async function startHealthServer({ host, port, readiness }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    const answer = path === undefined ? undefined : ROUTES[path]
    void (answer ? answer(response, readiness()) : send(response, 404, { status: 'not found' }))
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  await promise
  const address = server.address() as AddressInfo
  const at = (name: string) => `${name.includes(':') ? `[${name}]` : name}:${address.port}`
  return {
    url: `http://${at(host)}`,
    seenAt: at(ALL_ADDRESSES.has(host) ? hostname() : host),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

type Answer = (response: ServerResponse, readiness: Readiness | undefined) => Promise<void>

const ROUTES: Readonly<Record<string, Answer>> = {
  '/health/live': async (response) => send(response, 200, { status: 'ok' }),
  '/health/ready': async (response, readiness) => {
    if (!readiness) return send(response, 503, { status: 'starting' })
    const { isReady, components } = readiness
    send(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'down', components })
  },
  '/metrics': async (response) => {
    const { contentType, body } = await renderMetrics()
    response.writeHead(200, { 'content-type': contentType }).end(body)
  },
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const json = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }).end(json)
}
