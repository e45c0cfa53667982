import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Slice {
  readonly requests: number
  readonly seconds: number
}

/**
 * Keeps `connections` connections busy for `ms`, one request after the other on each, over raw sockets so that the generator costs
 * little. Throws when an answer is not 200.
 */
export async function load(target: Target, connections: number, ms: number): Promise<Slice> {
  const request = Buffer.from(
    `GET ${target.path} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n${Object.entries(target.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  )
  const started = performance.now()
  const until = started + ms
  const counts = await Promise.all(Array.from({ length: connections }, () => drive(target, request, until)))
  return { requests: counts.reduce((a, b) => a + b, 0), seconds: (performance.now() - started) / 1_000 }
}

async function drive({ host, port }: Target, request: Buffer, until: number): Promise<number> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  let requests = 0
  try {
    while (performance.now() < until) {
      socket.write(request)
      await readResponse(socket)
      requests += 1
    }
  } finally {
    socket.destroy()
  }
  return requests
}

/** Reads one response with a content-length. */
function readResponse(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let received = ''
  const settle = (error?: Error) => {
    socket.off('data', onData).off('error', settle).off('close', onClose)
    if (error) reject(error)
    else resolve()
  }
  const onClose = () => settle(new Error('the server closed the connection'))
  const onData = (chunk: Buffer) => {
    received += chunk.toString('latin1')
    const end = received.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1])
    if (received.length < end + 4 + length) return
    settle(received.startsWith('HTTP/1.1 200') ? undefined : new Error(received))
  }
  socket.on('data', onData).on('error', settle).on('close', onClose)
  return promise
}

export const median = (values: readonly number[]): number => percentile(values, 50)

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}
