import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RestartableServer {
  /** Without a path. */
  readonly origin: string
  /** Ends every connection. */
  stop(): Promise<void>
  /** At the same address. */
  start(): Promise<void>
}

/** An HTTP server at one address of this machine that a test stops and starts. */
export async function restartableServer(serve: RequestListener): Promise<RestartableServer> {
  let port = 0
  let server: Server | undefined
  const start = async () => {
    server = createServer(serve)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const stop = async () => {
    const stopping = server
    server = undefined
    if (!stopping) return
    const closed = once(stopping, 'close')
    stopping.close()
    stopping.closeAllConnections()
    await closed
  }
  await start()
  return { origin: `http://127.0.0.1:${port}`, start, stop }
}
