import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface WebPage {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

type Serve = (request: IncomingMessage, response: ServerResponse) => void

export interface TestSite extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Paths with queries, in the order of arrival. */
  readonly asked: string[]
  /** Pages by path. A text is HTML; a function answers itself. */
  readonly pages: Map<string, string | WebPage | Serve>
  /** Most requests at the same time so far. */
  readonly mostAtOnce: () => number
}

/** A web site at a free port of this machine; what it has no page for is 404. */
export async function startWebSite(pages: Readonly<Record<string, string | WebPage | Serve>>): Promise<TestSite> {
  const all = new Map(Object.entries(pages))
  const asked: string[] = []
  let open = 0
  let most = 0
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://site')
    asked.push(pathname + search)
    open += 1
    most = Math.max(most, open)
    response.once('close', () => (open -= 1))
    const page = all.get(pathname + search) ?? { status: 404, body: 'there is no such page' }
    if (typeof page === 'function') return page(request, response)
    const { status = 200, headers = {}, body = '' } = typeof page === 'string' ? { body: page } : page
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    asked,
    pages: all,
    mostAtOnce: () => most,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
