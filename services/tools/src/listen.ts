import { once } from 'node:events'
import { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'

export interface Listening extends AsyncDisposable {
  readonly url: string
}

/** Serves an app over HTTP/1.1; disposal waits for the requests under way. */
export async function listen(
  app: { fetch: (request: Request) => Response | Promise<Response> },
  host: string,
  port: number,
): Promise<Listening> {
  const server = createAdaptorServer({ fetch: (request) => app.fetch(request), overrideGlobalObjects: false })
  if (!(server instanceof Server)) throw new TypeError('the adaptor gave no HTTP/1.1 server')
  server.requestTimeout = 15_000
  server.listen(port, host)
  await once(server, 'listening')
  const { address, family, port: bound } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
  }
}
