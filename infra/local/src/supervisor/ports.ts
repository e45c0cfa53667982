import type { Print } from '../print.ts'
import { freePort } from '@youworker/embedded/port'
import { StartError } from '../start-error.ts'
import { type PortUser, SharedPort } from './shared-port.ts'

export interface SystemPorts {
  readonly postgres: number
  readonly nats: number
  readonly model: { readonly own: number; readonly health: number }
  /** Open from now on, so that no other start can choose the same. */
  readonly gateway: SharedPort
  readonly tools: SharedPort
}

const LOOPBACK = '127.0.0.1'
const TRIES = 100

/** Chooses every port before the first child starts, and opens those that replicas share. `users` serve them. */
export async function choosePorts(env: NodeJS.ProcessEnv, users: () => readonly PortUser[], print: Print): Promise<SystemPorts> {
  const wanted = Number(env['API__PORT'] || Number.NaN) === 0 ? await freePort() : (portIn(env['API__PORT']) ?? 8001)
  const gateway = await nextFree('gateway', env['API__HOST'] || LOOPBACK, wanted, users)
  if (gateway.port !== wanted) {
    print(`Port ${wanted} is taken; the API is on ${gateway.port} (choose one with API__PORT)`)
  }
  const toolsPort = await freePort(portIn(env['TOOLS__PORT']))
  return {
    gateway,
    tools: await SharedPort.open('tools', env['TOOLS__HOST'] || LOOPBACK, toolsPort, users),
    postgres: await freePort(),
    nats: await freePort(),
    model: { own: await freePort(portIn(env['OFFLINE_MODEL__PORT'])), health: await freePort() },
  }
}

async function nextFree(name: string, host: string, from: number, users: () => readonly PortUser[]): Promise<SharedPort> {
  for (let port = from; port < from + TRIES && port < 65_536; port++) {
    try {
      return await SharedPort.open(name, host, port, users)
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') continue
      throw new StartError(`API__HOST=${host} cannot be listened on: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      })
    }
  }
  return SharedPort.open(name, host, await freePort(), users)
}

function portIn(text: string | undefined): number | undefined {
  const port = Number(text)
  return text && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}
