import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { freePort } from '@youworker/embedded/port'
import type { Print } from '../print.ts'

export interface ReplicaPorts {
  readonly health: number
  /** API__PORT of a gateway, TOOLS__PORT of a tools process. */
  readonly own?: number | undefined
}

export interface SystemPorts {
  readonly postgres: number
  readonly nats: number
  readonly model: { readonly own: number; readonly health: number }
  readonly services: Readonly<Record<ServiceName, readonly ReplicaPorts[]>>
}

/** Chooses every port before the first child starts. */
export async function choosePorts(
  replicas: Readonly<Record<ServiceName, number>>,
  env: NodeJS.ProcessEnv,
  print: Print,
): Promise<SystemPorts> {
  const services = {} as Record<ServiceName, ReplicaPorts[]>
  let api = await preferred('API__PORT', 8001, env, print)
  for (const service of SERVICES) {
    services[service] = []
    for (let n = 0; n < replicas[service]; n++) {
      if (service === 'gateway' && n > 0) api = await nextFree(api + 1)
      const own =
        service === 'gateway'
          ? api
          : service === 'tools'
            ? await freePort(n === 0 ? portIn(env['TOOLS__PORT']) : undefined)
            : undefined
      services[service].push({ health: await freePort(), own })
    }
  }
  return {
    services,
    postgres: await freePort(),
    nats: await freePort(),
    model: { own: await freePort(portIn(env['OFFLINE_MODEL__PORT'])), health: await freePort() },
  }
}

async function preferred(name: string, fallback: number, env: NodeJS.ProcessEnv, print: Print): Promise<number> {
  const wanted = portIn(env[name]) ?? fallback
  const port = await nextFree(wanted)
  if (port !== wanted) print(`Port ${wanted} is taken; the API is on ${port} (choose one with ${name})`)
  return port
}

async function nextFree(from: number): Promise<number> {
  for (let port = from; port < from + 100; port++) if ((await freePort(port)) === port && (await reserve(port))) return port
  return freePort()
}

/**
 * Reserves a TCP port number for this process. The gateway listens only seconds after its port was chosen, and a second start would
 * choose the same one meanwhile. Nothing uses the UDP port of that number, so we bind it as a mark that lives as long as this process.
 */
async function reserve(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref()
  socket.bind({ port, address: '127.0.0.1', exclusive: true })
  return once(socket, 'listening').then(
    () => true,
    () => false,
  )
}

function portIn(text: string | undefined): number | undefined {
  const port = Number(text)
  return text && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}
