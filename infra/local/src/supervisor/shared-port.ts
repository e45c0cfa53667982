import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** A process that serves connections to a shared port. */
export interface PortUser {
  /** It serves this port and could take a connection now. */
  isFreeFor(port: string): boolean
  /** Whether it has taken the connection. After `false` another one may get it. */
  hand(port: string, socket: Socket): Promise<boolean>
}

interface Waiting {
  readonly socket: Socket
  readonly until: number
}

/** How long a connection waits for a process that serves it, e.g. while the only one starts again. */
const WAIT_MS = 8_000
const MAX_WAITING = 1_000
const LOOK_AGAIN_MS = 25

const REFUSAL = ((): string => {
  const message = 'The service is starting again; try again in a moment'
  const error = { message, type: 'server_error', param: null, code: 'SERVICE_UNAVAILABLE', correlation_id: null }
  const body = JSON.stringify({ error })
  const head = ['HTTP/1.1 503 Service Unavailable', 'content-type: application/json', 'retry-after: 1', 'connection: close']
  return `${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
})()

/**
 * A TCP port that all replicas of a service share and that stays open while they come and go. This process accepts and hands each
 * connection to the next replica in turn; the bytes never pass through here.
 */
export class SharedPort implements AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly #server: Server
  readonly #users: () => readonly PortUser[]
  readonly #lastTurn = new WeakMap<PortUser, number>()
  #turn = 0
  #waiting: Waiting[] = []
  #lookAgain: NodeJS.Timeout | undefined

  private constructor(name: string, server: Server, users: () => readonly PortUser[]) {
    this.name = name
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#users = users
    server.on('connection', (socket) => this.#accept(socket))
    // Too many open files: the next connections may be taken again.
    server.on('error', () => {})
  }

  /** Rejects when the port is taken. `users` are the processes that may serve it, asked for each connection. */
  static async open(name: string, host: string, port: number, users: () => readonly PortUser[]): Promise<SharedPort> {
    // Paused: what the client sends is left to the process that gets the connection.
    const server = createServer({ pauseOnConnect: true, noDelay: true })
    const listening = once(server, 'listening')
    server.listen({ host, port, exclusive: true })
    await listening
    return new SharedPort(name, server, users)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#lookAgain)
    this.#server.close()
    for (const { socket } of this.#waiting.splice(0)) socket.destroy()
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    if (this.#waiting.length >= MAX_WAITING) return refuse(socket)
    this.#waiting.push({ socket, until: Date.now() + WAIT_MS })
    this.#handOut()
  }

  #handOut(): void {
    clearTimeout(this.#lookAgain)
    for (let user = this.#next(); user && this.#waiting.length > 0; user = this.#next()) {
      const waiting = this.#waiting.shift()
      if (waiting) void this.#hand(waiting, user)
    }
    const now = Date.now()
    for (const { socket } of this.#waiting.filter(({ until }) => until <= now)) refuse(socket)
    this.#waiting = this.#waiting.filter(({ until }) => until > now)
    if (this.#waiting.length > 0) this.#lookAgain = setTimeout(() => this.#handOut(), LOOK_AGAIN_MS)
  }

  async #hand(waiting: Waiting, user: PortUser): Promise<void> {
    this.#turn += 1
    this.#lastTurn.set(user, this.#turn)
    // Closes only this process' copy of the socket.
    if (await user.hand(this.name, waiting.socket)) waiting.socket.destroy()
    else this.#waiting.unshift(waiting)
    this.#handOut()
  }

  /** The free user whose last turn is longest ago. */
  #next(): PortUser | undefined {
    const free = this.#users().filter((user) => user.isFreeFor(this.name))
    return free.sort((a, b) => (this.#lastTurn.get(a) ?? 0) - (this.#lastTurn.get(b) ?? 0))[0]
  }
}

function refuse(socket: Socket): void {
  socket.end(REFUSAL)
  // Unread bytes would turn the end into a reset, and the client would not see the answer.
  socket.resume()
  setTimeout(() => socket.destroy(), 1_000).unref()
}
