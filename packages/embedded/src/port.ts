import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below the ephemeral ranges of Linux and macOS, so that no outgoing connection takes the port while its owner restarts. */
const FIRST = 10_240
const COUNT = 20_000
const given = new Set<number>()

/** Returns a free port of 127.0.0.1, `preferred` if it is free; never the same port twice in one process. */
export async function freePort(preferred?: number): Promise<number> {
  for (const port of candidates(preferred)) {
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error('no free port on 127.0.0.1')
}

function* candidates(preferred: number | undefined): Generator<number> {
  if (preferred !== undefined) yield preferred
  for (let tries = 0; tries < 200; tries++) yield FIRST + Math.floor(Math.random() * COUNT)
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
