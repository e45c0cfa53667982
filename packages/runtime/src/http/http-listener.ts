import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { readToProcess, tellSupervisor } from '../process/supervisor-channel.ts'

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** `supervisor`: the process that started this one accepts on the port and hands each connection over. */
  readonly from: 'port' | 'supervisor'
  /** What the supervisor calls the port. */
  readonly name: string
}

const SWEEP_MS = 50

/** The connections of an HTTP server, and how they end without a failed request. */
export class HttpListener {
  readonly address: AddressInfo
  readonly #server: Server
  readonly #open = new Set<Socket>()
  readonly #stopTaking: () => void
  #onEmpty = () => {}

  private constructor(server: Server, address: AddressInfo, stopTaking: () => void) {
    this.#server = server
    this.address = address
    this.#stopTaking = stopTaking
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket)
      socket.once('close', () => {
        this.#open.delete(socket)
        if (this.#open.size === 0) this.#onEmpty()
      })
    })
  }

  static async open(server: Server, { host, port, from, name }: ListenOptions): Promise<HttpListener> {
    if (from === 'port') {
      const listening = once(server, 'listening')
      server.listen(port, host)
      await listening
      return new HttpListener(server, server.address() as AddressInfo, () => {})
    }
    if (!process.connected) throw new Error('CONNECTIONS__FROM=supervisor: no supervisor started this process')
    const take = (message: unknown, socket: unknown) => {
      const connection = readToProcess(message)
      if (connection?.type !== 'connection' || connection.port !== name) return
      if (socket instanceof Socket) {
        // As of the connections that an HTTP server accepts: a client may end its side after the request.
        socket.allowHalfOpen = true
        server.emit('connection', socket)
      }
      tellSupervisor({ type: 'taken', id: connection.id })
    }
    // Node watches the time limits of requests only once a server listens.
    server.emit('listening')
    const family = host.includes(':') ? 'IPv6' : 'IPv4'
    const listener = new HttpListener(server, { address: host, family, port }, () => process.off('message', take))
    process.on('message', take)
    tellSupervisor({ type: 'serves', port: name })
    return listener
  }

  /**
   * Answers what still comes on open connections and closes each after its next answer (`Connection: close`). Idle ones are left
   * to the keep-alive limit that their clients know: a request could be on its way. Resolves when no connection is open.
   */
  async drain(): Promise<void> {
    this.#server.maxRequestsPerSocket = 1
    await this.#empty()
  }

  /** Takes no new connections, closes idle ones, waits for answers under way and cuts what is left after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#server.close()
    this.#stopTaking()
    const sweep = setInterval(() => this.#server.closeIdleConnections(), SWEEP_MS)
    const cut = setTimeout(() => this.#open.forEach((socket) => socket.destroy()), graceMs)
    await this.#empty()
    clearInterval(sweep)
    clearTimeout(cut)
  }

  #empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#onEmpty
    this.#onEmpty = () => {
      before()
      resolve()
    }
    return promise
  }
}
