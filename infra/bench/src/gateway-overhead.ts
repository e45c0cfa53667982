import { fork } from 'node:child_process'
import { join } from 'node:path'
import { rounds, sliceMs } from './measuring/effort.ts'
import { type Cost, measure, perSecond, printByProcess, spread } from './measuring/measure.ts'
import type { Processes } from './measuring/process-cpu.ts'
import { endWith, firstMessage, startSystem } from './system.ts'
import { load, median, type Target } from './measuring/load.ts'

const ROUNDS = rounds(24)
const SLICE_MS = sliceMs(500)
/** Until Node has compiled what is used often. */
const WARM_UP_MS = sliceMs(8_000)
const CONNECTIONS = 16

/**
 * One group by id with a bearer token, through gateway, NATS, service and Postgres with row-level security, against node:http with the
 * same select prepared. Slices of both take turns; the ratio is the median of system / bare.
 */
export async function gatewayOverhead(stack: AsyncDisposableStack): Promise<number> {
  const { ours, bare, processes } = await startBoth(stack)
  await load(ours, CONNECTIONS, WARM_UP_MS)
  await load(bare, CONNECTIONS, WARM_UP_MS / 2)
  const ratios: number[] = []
  const all: Cost[] = []
  const request = (target: Target, of: Processes) => measure(of, async () => (await load(target, CONNECTIONS, SLICE_MS)).requests)
  for (let round = 1; round <= ROUNDS; round += 1) {
    const cost = await request(ours, processes)
    all.push(cost)
    const [system, base] = [perSecond(cost), perSecond(await request(bare, []))]
    ratios.push(system / base)
    console.log(`round ${round}: system ${system.toFixed(0)}/s, bare ${base.toFixed(0)}/s, ratio ${(system / base).toFixed(3)}`)
  }
  printByProcess(all, 'request')
  console.log(`system / bare: ${spread(ratios, 3)}`)
  return median(ratios)
}

async function startBoth(stack: AsyncDisposableStack): Promise<{ ours: Target; bare: Target; processes: Processes }> {
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m)
  const { api, postgres, root_api_key } = endpoints
  const call = async (path: string, body?: object) => {
    const headers = { 'x-api-key': root_api_key, 'content-type': 'application/json' }
    const init = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(`${api}${path}`, init)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Readonly<Record<string, string>>
  }
  const { id: groupId = '' } = await call('/v1/groups', { name: 'bench' })
  const { id: userId = '' } = await call('/v1/auth/me')
  const { access_token } = await call('/v1/auth/login', { api_key: root_api_key, token: true })

  const env = { ...process.env, DATABASE_URL: postgres, GROUP_ID: groupId, USER_ID: userId }
  const child = fork(join(import.meta.dirname, 'baselines/group-server.ts'), { env })
  endWith(stack, child)
  const port = Number(await firstMessage(child))
  const { hostname: host, port: apiPort } = new URL(api)
  const authorization = `Bearer ${access_token}`
  return {
    ours: { host, port: Number(apiPort), path: `/v1/groups/${groupId}`, headers: { authorization } },
    bare: { host: '127.0.0.1', port, path: '/', headers: {} },
    processes: endpoints.processes.filter(({ name }) => name !== 'offline-model'),
  }
}
