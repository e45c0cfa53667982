import { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { HttpListener, type ListenOptions } from '@youworker/runtime/http/http-listener'

export interface Listening extends AsyncDisposable {
  readonly url: string
  /** Resolves when no connection is open. */
  drain(): Promise<void>
}

const REQUEST_MS = 15_000
const CLOSE_MS = 10_000

/** Serves an app over HTTP/1.1; disposal waits for the requests under way. */
export async function listen(
  app: { fetch: (request: Request) => Response | Promise<Response> },
  at: Omit<ListenOptions, 'name'>,
): Promise<Listening> {
  const server = createAdaptorServer({ fetch: (request) => app.fetch(request), overrideGlobalObjects: false })
  if (!(server instanceof Server)) throw new TypeError('the adaptor gave no HTTP/1.1 server')
  server.requestTimeout = REQUEST_MS
  // Each call comes on a connection of its own: so replicas get equal shares, and a replica that leaves closes none under a caller.
  server.maxRequestsPerSocket = 1
  const listener = await HttpListener.open(server, { ...at, name: 'tools' })
  const { address, family, port } = listener.address
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    drain: () => listener.drain(),
    [Symbol.asyncDispose]: () => listener.close(CLOSE_MS),
  }
}
