import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startHouse } from './house.ts'
import { load, median } from './load.ts'

const ROUNDS = 12
const SLICE_MS = 1_000
const CONNECTIONS = 16

/**
 * One group by id with a bearer token, through gateway, NATS, service and Postgres with row-level security, against node:http with the
 * same select prepared. Slices of both take turns; the ratio is the median of house / bare.
 */
export async function gatewayOverhead(): Promise<number> {
  await using house = await startHouse(['--no-demo'], /API\b/)
  const { api, postgres, root_api_key } = house.endpoints
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${api}${path}`, {
      ...init,
      headers: { 'x-api-key': root_api_key, 'content-type': 'application/json' },
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, string>
  }
  const group = await call('/v1/groups', { method: 'POST', body: JSON.stringify({ name: 'bench' }) })
  const { id: userId = '' } = await call('/v1/auth/me')
  const bearer = await call('/v1/auth/login', { method: 'POST', body: JSON.stringify({ api_key: root_api_key, token: true }) })

  const { child, port } = await startBare({ DATABASE_URL: postgres, GROUP_ID: group['id'] ?? '', USER_ID: userId })
  try {
    const url = new URL(api)
    const ours = {
      host: url.hostname,
      port: Number(url.port),
      path: `/v1/groups/${group['id']}`,
      headers: { authorization: `Bearer ${bearer['access_token']}` },
    }
    const bare = { host: '127.0.0.1', port, path: '/', headers: {} }
    await load(ours, CONNECTIONS, 2 * SLICE_MS)
    await load(bare, CONNECTIONS, 2 * SLICE_MS)
    const ratios: number[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      const house = perSecond(await load(ours, CONNECTIONS, SLICE_MS))
      const base = perSecond(await load(bare, CONNECTIONS, SLICE_MS))
      ratios.push(house / base)
      console.log(`round ${round}: house ${house.toFixed(0)}/s, bare ${base.toFixed(0)}/s`)
    }
    return median(ratios)
  } finally {
    child.kill()
  }
}

const perSecond = ({ requests, seconds }: { requests: number; seconds: number }) => requests / seconds

async function startBare(env: Record<string, string>): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(join(import.meta.dirname, 'bare-server.ts'), { env: { ...process.env, ...env } })
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}
